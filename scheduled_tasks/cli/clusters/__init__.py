"""Commands that run in a Kubernetes cluster."""
