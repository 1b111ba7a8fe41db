"""The simulated world behind the cart's ports: physics, camera, shopper, store, and the two ways to run them.

Virtual (`runner.py`): one process, a clock that is told, no thread. Live (`world.py`, `bench.py`): real time, the real
daemon and vision process. In both, only wire bytes, pixels, taps, gate signals and MQTT cross from world to cart.
"""
