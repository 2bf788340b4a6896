//! Bodies of fuzz targets: each asserts a property of the crate for any bytes.
