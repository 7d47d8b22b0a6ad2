"""What `hogql_parser` imports of PostHog's own package, which is on no registry."""
