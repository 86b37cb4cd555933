"""convserve: convolution as a service."""
