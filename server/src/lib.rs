//! The server, to come.
