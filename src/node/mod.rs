//! HALL: joins exchange, SIP and media of one server; still no IO.
