"""The gateway: the configuration of NGINX, rendered from settings and from the routes that the features declare."""
