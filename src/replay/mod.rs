//! TEST BENCH: phones that place and take real calls.
