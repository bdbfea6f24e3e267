"""Runs in a Kubernetes cluster; imported only by a run in a pod."""
