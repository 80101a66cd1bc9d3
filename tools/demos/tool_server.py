"""The server whose forks are the processes of the tools; it imports the package while a demo does.

To import the package takes longer than many a step of a demo in miniature.
"""

import sys
from multiprocessing import forkserver

SERVED = ('mmav', 'mmav.simulation')
"""What the processes of the tools have imported when they begin."""

# the server's own forks import the demo's modules again
if sys.platform == 'linux' and forkserver.get_inherited_fds() is None:
    forkserver.set_forkserver_preload(list(SERVED))
    forkserver.ensure_running()
