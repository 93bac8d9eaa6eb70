import os

# Before torch is imported: its threads must sleep, not spin, where other work shares the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
