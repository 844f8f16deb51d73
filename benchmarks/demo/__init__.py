"""`its-gateway demo`: the main job, end to end, over HTTP, on a model that really samples."""
