//! Transactions in simulated time.
