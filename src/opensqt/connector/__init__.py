"""The only door to an exchange: adapters, books, the order gateway, and the gRPC service over them."""
