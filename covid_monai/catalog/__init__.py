"""The bundles that there are: their configurations, metadata, descriptions and the sizes of their networks."""
