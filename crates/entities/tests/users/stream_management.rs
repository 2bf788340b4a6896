//! stream_management
