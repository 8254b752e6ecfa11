"""Times of the infrastructure that must fit to settings of the service, in seconds.

They stand here, and not where they are used, because options.py refuses settings that do not fit.
"""

# The load balancer closes an idle connection before nginx does (keepalive_timeout, 75 s): were it
# the more patient one, it would now and then send a request into a connection that nginx is just
# closing, and answer 502.
LOAD_BALANCER_IDLE = 60

# How long a task that ends still gets the requests of connections it has: less than nginx takes to
# stop (STOP_TIMEOUT_S), so that no request comes in after it has gone.
DEREGISTRATION_DELAY = 20

# How long the proxy looks for a free connection: less than the workers wait for its answer
# (DATABASE_IO_TIMEOUT_S), so that they are told, instead of guessing from silence.
PROXY_BORROW = 3

# After this the proxy ends an idle client's connection: more than the workers leave one idle
# (DATABASE_IDLE_S), so that they are never surprised by it.
PROXY_CLIENT_IDLE = 1800
