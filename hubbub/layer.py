"""The channel layer of a site: `CHANNEL_LAYERS = {"default": {"BACKEND": "hubbub.layer.RedisPubSubLayer"}}`.

It needs no CONFIG: Redis and the capacity come from `HUBBUB["REDIS_URL"]` and `HUBBUB["LAYER_CAPACITY"]`.
"""

from hubbub.delivery.layer import RedisPubSubLayer

__all__ = ["RedisPubSubLayer"]
