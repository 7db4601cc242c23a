//! Menus: TOML files that ops write, read into a set that is installed whole, and run for each caller.
