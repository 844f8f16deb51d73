"""Programs that mean harm, each a candidate's answer to "write `f(x)`, which returns x + 1".

`FORGERIES` do not compute it and try to pass all the same. `EXHAUSTION` takes what it can.
`PROBES` look for what should not be there: `f` returns what they found, and passes its own tests
only by returning nothing, so that a probe that did not run to its end counts as an escape.
"""

from __future__ import annotations

TESTS = "assert f(1) == 2\nassert f(41) == 42\nassert f(-1) == 0\n"
PROBED = "assert f(0) == []\n"

FORGERIES: dict[str, str] = {
    "exits with 0": "import sys\nsys.exit(0)\n",
    "exits with 0 when called": "import sys\ndef f(x):\n    sys.exit(0)\n",
    "leaves without a trace": "import os\ndef f(x):\n    os._exit(0)\n",
    "leaves while loading": "import os\nos._exit(0)\n",
    "hooks the exit": "import atexit, os\natexit.register(lambda: os._exit(0))\ndef f(x): return 0\n",
    "raises SystemExit from a thread": (
        "import threading, os\nthreading.Timer(0.01, lambda: os._exit(0)).start()\n"
        "def f(x):\n    import time; time.sleep(5)\n"
    ),
    "replaces sys.exit and excepthook": (
        "import sys, os\nsys.exit = lambda *a: None\nsys.excepthook = lambda *a: os._exit(0)\n"
        "def f(x): raise ValueError\n"
    ),
    "catches everything and says passed": (
        "def f(x):\n    try:\n        raise SystemExit(0)\n    except BaseException:\n"
        "        print('passed=3 total=3 how=pass')\n        return None\n"
    ),
    "is equal to everything": (
        "class Any(object):\n    __eq__ = lambda s, o: True\n    __ne__ = lambda s, o: False\n"
        "    __hash__ = lambda s: 2\ndef f(x): return Any()\n"
    ),
    "an int that is equal to everything": (
        "class Any(int):\n    __eq__ = lambda s, o: True\n    __ne__ = lambda s, o: False\n"
        "    __hash__ = int.__hash__\ndef f(x): return Any(7)\n"
    ),
    "a str subclass that lies": (
        "class Any(str):\n    __eq__ = lambda s, o: True\n    __hash__ = str.__hash__\n"
        "def f(x): return Any('x')\n"
    ),
    "a class in place of the function": (
        "class f:\n    def __init__(self, x): pass\n    def __eq__(self, o): return True\n"
        "    def __ne__(self, o): return False\n"
    ),
    "reflected comparison": (
        "class Any:\n    def __getattr__(self, n): return lambda *a: True\n"
        "    def __eq__(self, o): return NotImplemented\n    __hash__ = None\n"
        "    def __req__(self, o): return True\ndef f(x): return Any()\n"
    ),
    "a metaclass that is equal": (
        "class M(type):\n    def __eq__(c, o): return True\n    __hash__ = type.__hash__\n"
        "class C(metaclass=M): pass\ndef f(x): return C\n"
    ),
    "overrides builtins": (
        "import builtins\nbuiltins.AssertionError = type('E', (Exception,), {})\n"
        "builtins.__build_class__ = None\nbuiltins.isinstance = lambda *a: True\n"
        "builtins.compile = lambda *a, **k: None\nbuiltins.exec = lambda *a: None\n"
        "def f(x): return 0\n"
    ),
    "patches the runner": (
        "import sys\nfor n, m in list(sys.modules.items()):\n"
        "    if n.startswith('inside'):\n        for k in list(vars(m)):\n"
        "            if callable(vars(m)[k]): setattr(m, k, lambda *a, **n: None)\n"
        "def f(x): return 0\n"
    ),
    "patches encoding to claim success": (
        "import sys\nm = sys.modules['inside.link']\n"
        "m.Link._reply = lambda self, a: self._send({'result': True, 'how': 'pass', 'done': True,"
        " 'passed': 3, 'total': 3})\ndef f(x): return 0\n"
    ),
    "answers before it is asked": (
        "import os, json\nd = json.dumps({'result': {'tuple': [2]}}).encode()\n"
        "for fd in range(3, 64):\n    for _ in range(50):\n        try: os.write(fd, len(d).to_bytes(4, 'big') + d)\n"
        "        except OSError: break\ndef f(x): return 0\n"
    ),
    "writes results everywhere": (
        'import os\nline = b\'{"how": "pass", "passed": 3, "total": 3, "done": true}\\n\'\n'
        "for fd in range(0, 256):\n    try: os.write(fd, line)\n    except OSError: pass\n"
        "for p in ('/tmp/result.json', 'result.json', '/result.json'):\n"
        "    try: open(p, 'wb').write(line)\n    except OSError: pass\ndef f(x): return 0\n"
    ),
    "claims that it passed while loading": (
        "import sys\nsys.modules['inside.candidate'].Program.load = lambda s: {'how': 'pass', "
        "'why': '', 'defined': ['f']}\nraise RuntimeError\n"
    ),
    "load says pass": (
        "import sys, inside.link as l\nold = l.Link._reply\n"
        "def new(self, a):\n    old(self, {'result': {'dict': [['how', 'pass'], ['why', ''],"
        " ['defined', []]]}})\nl.Link._reply = new\ndef f(x): return 0\n"
    ),
    "walks frames for the expected value": (
        "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n"
        "        for v in list(frame.f_locals.values()) + list(frame.f_globals.values()):\n"
        "            if isinstance(v, str) and 'assert f(' in v:\n                return x + 1\n"
        "        frame = frame.f_back\n    return None\n"
    ),
    "searches the heap for the tests": (
        "import gc\ndef f(x):\n    for o in gc.get_objects():\n        try:\n"
        "            if isinstance(o, dict) and any('assert f(' in str(v) for v in o.values() if isinstance(v, str)):\n"
        "                return x + 1\n        except Exception: pass\n    return None\n"
    ),
    "traces its callers": (
        "import sys\nseen = []\ndef tracer(frame, event, arg):\n    seen.append((frame, arg))\n"
        "    return tracer\nsys.settrace(tracer)\nsys.setprofile(lambda *a: seen.append(a))\n"
        "def f(x):\n    for s in seen:\n        if 'assert f(' in repr(s): return x + 1\n    return None\n"
    ),
    "reads the caller's source": (
        "import inspect, linecache\ndef f(x):\n    text = ''\n    for i in inspect.stack():\n"
        "        text += ''.join(i.code_context or [])\n    return x + 1 if 'assert f(' in text else None\n"
    ),
    "raises AssertionError that looks like success": (
        "class AssertionError(BaseException): pass\ndef f(x): raise AssertionError('pass')\n"
    ),
    "raises StopIteration": "def f(x): raise StopIteration(x + 1)\n",
    "raises GeneratorExit": "def f(x): raise GeneratorExit\n",
    "raises KeyboardInterrupt": "def f(x): raise KeyboardInterrupt\n",
    "returns a generator that never answers": (
        "def f(x):\n    def g():\n        while True: yield x + 2\n    return g()\n"
    ),
    "pickles code for the checker": (
        "import pickle, os\nclass P:\n    def __reduce__(self): return (os._exit, (0,))\n"
        "def f(x): return pickle.dumps(P())\n"
    ),
    "an object whose reduction runs code": (
        "import os\nclass P:\n    def __reduce__(self): return (os._exit, (0,))\n"
        "    def __getstate__(self): os._exit(0)\ndef f(x): return P()\n"
    ),
    "an exception that is equal": (
        "class E(Exception):\n    def __eq__(s, o): return True\n    __hash__ = None\n"
        "def f(x): return E()\n"
    ),
    "prints instead of returning": "def f(x): print(x + 1)\n",
    "rewrites the arguments": "def f(x):\n    x += 1\n",
    "redefines its own tests": (
        "def check(*a): pass\ndef test_f(): pass\nassert_ = lambda *a: None\ndef f(x): return 0\n"
    ),
    "not the language": 'fn main() { println!("pass"); }\n',
}

EXHAUSTION: dict[str, str] = {
    "fork bomb": "import os\ndef f(x):\n    while True: os.fork()\n",
    "fork bomb that catches": (
        "import os\ndef f(x):\n    while True:\n        try: os.fork()\n        except OSError: pass\n"
    ),
    "spawn bomb": (
        "import multiprocessing\ndef f(x):\n    while True:\n"
        "        multiprocessing.Process(target=f, args=(x,)).start()\n"
    ),
    "thread bomb": (
        "import threading, time\ndef f(x):\n    while True:\n        try: threading.Thread(target=time.sleep, args=(99,)).start()\n"
        "        except RuntimeError: pass\n"
    ),
    "memory": "def f(x):\n    hoard = []\n    while True: hoard.append(bytearray(1 << 24))\n",
    "memory at once": "def f(x): return len(b'x' * (1 << 40))\n",
    "memory mapped": (
        "import mmap\ndef f(x):\n    hoard = []\n    while True:\n        m = mmap.mmap(-1, 1 << 24)\n"
        "        m.write(b'x' * (1 << 24)); hoard.append(m)\n"
    ),
    "disk": (
        "def f(x):\n    with open('/tmp/big', 'wb') as file:\n"
        "        while True: file.write(b'x' * (1 << 20))\n"
    ),
    "disk in many files": (
        "def f(x):\n    n = 0\n    while True:\n        open(f'/tmp/{n}', 'wb').write(b'x' * 4096)\n"
        "        n += 1\n"
    ),
    "empty files without end": (
        "import os\ndef f(x):\n    n = 0\n    while True:\n"
        "        os.close(os.open(f'/tmp/{n}', os.O_CREAT)); n += 1\n"
    ),
    "folders without end": (
        "import os\ndef f(x):\n    while True:\n        os.mkdir('d'); os.chdir('d')\n"
    ),
    "descriptors": (
        "import os\ndef f(x):\n    hoard = []\n    while True: hoard.append(os.pipe())\n"
    ),
    "output flood": (
        "import os, sys\ndef f(x):\n    while True:\n        print('x' * 65536)\n"
        "        os.write(1, b'x' * 65536); os.write(2, b'x' * 65536)\n"
    ),
    "output flood while loading": "while True: print('x' * 65536, flush=True)\n",
    "flood on the wire": (
        "import os\nwhile True:\n    for fd in range(3, 20):\n        try: os.write(fd, b'\\xff' * 65536)\n"
        "        except OSError: pass\n"
    ),
    "a message of four gigabytes": (
        "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'\\xff\\xff\\xff\\xff' + b'x' * 99)\n"
        "    except OSError: pass\ndef f(x): return 0\n"
    ),
    "endless sleep": "import time\ndef f(x): time.sleep(10 ** 6)\n",
    "endless loop": "def f(x):\n    while True: pass\n",
    "endless loop that catches": (
        "def f(x):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass\n"
    ),
    "ignores signals": (
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\ndef f(x):\n    while True: pass\n"
    ),
    "deep recursion": "def f(x): return f(x)\n",
    "deep recursion without limit": (
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(x): return f(x)\n"
    ),
    "huge int": "def f(x): return 9 ** 9 ** 9\n",
    "huge int returned": "def f(x): return 1 << (1 << 28)\n",
    "huge int as text": "def f(x): return str(10 ** 10 ** 8)\n",
    "huge list returned": "def f(x): return list(range(10 ** 7))\n",
    "nested list returned": (
        "def f(x):\n    v = []\n    for _ in range(10 ** 5): v = [v]\n    return v\n"
    ),
    "a list in itself": "def f(x):\n    v = []\n    v.append(v)\n    return v\n",
    "deep pickle": (
        "import pickle\ndef f(x):\n    return pickle.loads(b'(' * 10 ** 6 + b'l' * 10 ** 6 + b'.')\n"
    ),
    "regular expression": "import re\ndef f(x): return re.match('(a+)+$', 'a' * 64 + 'b')\n",
    "deeply nested source": "x = " + "(" * 5000 + ")" * 5000 + "\n",
    "source that compiles for ever": "x = " + "-" * 20000 + "1\ndef f(x): return 0\n",
    "constant folding": "def f(x): return 'x' * (1 << 33)\n",
    "crash": ("import ctypes\ndef f(x): return ctypes.string_at(0)\n"),
    "crash by bad code": (
        "def f(x): pass\nf.__code__ = f.__code__.replace(co_code=b'd\\xff' * 99)\n"
    ),
    "32-bit system calls": (
        "import ctypes, mmap, platform, signal\ndef f(x):\n    if platform.machine() != 'x86_64': return []\n"
        "    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)\n    page.write(code)\n"
        "    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))\n"
        "    return x + 1 if call() > 0 else 0\n"
    ),
    "callbacks for ever": (
        "class L:\n    def __len__(self): return 2 ** 62\n    def __iter__(self): return self\n"
        "    def __next__(self): return 0\ndef f(x): return L()\n"
    ),
}

PROBES: dict[str, str] = {
    "environment": (
        "import os\ndef f(x):\n    return [k for k in os.environ if k not in ('HOME', 'LANG', 'LD_LIBRARY_PATH',"
        " 'PYTHONHASHSEED', 'PYTHONHOME', 'PWD', 'LC_CTYPE')]\n"
    ),
    "proc": (
        "import os\ndef f(x):\n    found = []\n    for p in ('/proc', '/proc/self/environ', '/proc/1/cmdline',"
        " '/proc/self/fd', '/sys', '/proc/sys/kernel/core_pattern'):\n        if os.path.exists(p): found.append(p)\n    return found\n"
    ),
    "file system": (
        "import os\ndef f(x):\n    return sorted(set(os.listdir('/')) - {'bin', 'dev', 'lib', 'lib64', 'tmp'})"
        " + sorted(set(os.listdir('/bin')) - {'python3'}) + sorted(set(os.listdir('/dev')) - {'null', 'urandom'})\n"
    ),
    "home and configuration": (
        "import os\ndef f(x):\n    return [p for p in ('/root', '/home', '/etc/passwd', '/etc/hostname', '/var', '/work',"
        " '/usr', '/run', '/mnt', '/opt', '/boot', os.path.expanduser('~root')) if os.path.exists(p)]\n"
    ),
    "writing outside tmp": (
        "import os\ndef f(x):\n    found = []\n    for p in ('/x', '/lib/x', '/bin/x', '/dev/x', '/bin/python3', '/lib64/x'):\n"
        "        try: open(p, 'ab').close(); found.append(p)\n        except OSError: pass\n    return found\n"
    ),
    "import of the gateway": (
        "import importlib\ndef f(x):\n    found = []\n    for m in ('gateway', 'strategies', 'verifiers', 'pydantic', 'fastapi',"
        " 'uvicorn', 'pip', 'site', 'redis', 'saq'):\n        try: importlib.import_module(m); found.append(m)\n"
        "        except ImportError: pass\n    return [m for m in found if m != 'site']\n"
    ),
    "other candidates' files": (
        "import os\ndef f(x):\n    found = os.listdir('/tmp')\n    open('/tmp/left-behind', 'w').write('x')\n    return found\n"
    ),
    "sockets": (
        "import socket\ndef f(x):\n    found = []\n    for family in range(0, 46):\n        for kind in (1, 2, 3, 5):\n"
        "            try: socket.socket(family, kind).close(); found.append((family, kind))\n            except OSError: pass\n    return found\n"
    ),
    "network by name": (
        "import socket\ndef f(x):\n    try: socket.create_connection(('127.0.0.1', 80), 1); return ['connected']\n"
        "    except OSError: return []\n"
    ),
    "descriptors that were left open": (
        "import os, stat\ndef f(x):\n    found = []\n    for fd in range(3, 4096):\n        try: s = os.fstat(fd)\n"
        "        except OSError: continue\n        if not stat.S_ISSOCK(s.st_mode): found.append((fd, s.st_mode))\n    return found\n"
    ),
    "one socket only": (
        "import os, stat\ndef f(x):\n    n = 0\n    for fd in range(3, 4096):\n        try: n += stat.S_ISSOCK(os.fstat(fd).st_mode)\n"
        "        except OSError: continue\n    return [] if n == 1 else [n]\n"
    ),
    "signals to others": (
        "import os\ndef f(x):\n    found = []\n    for pid in (os.getppid(), -1, 2, 3, 100, 1000, 99999):\n"
        "        if pid in (0, 1): continue\n        try: os.kill(pid, 0); found.append(pid)\n        except OSError: pass\n"
        "    return [p for p in found if p != -1]\n"
    ),
    "is alone": "import os\ndef f(x): return [] if (os.getpid(), os.getppid()) == (1, 0) else [os.getpid()]\n",
    "privileges": (
        "import os\ndef f(x):\n    found = [os.getuid()] if os.getuid() == 0 else []\n    for call in ('setuid', 'setgid', 'seteuid'):\n"
        "        try: getattr(os, call)(0); found.append(call)\n        except OSError: pass\n"
        "    try: os.chroot('/tmp'); found.append('chroot')\n    except OSError: pass\n"
        "    try: os.nice(-5); found.append('nice')\n    except OSError: pass\n    return found\n"
    ),
    "limits cannot be raised": (
        "import resource\ndef f(x):\n    found = []\n    for name in dir(resource):\n        if name.startswith('RLIMIT_') and name not in"
        " ('RLIMIT_NICE', 'RLIMIT_RTPRIO', 'RLIMIT_RTTIME'):\n            limit = getattr(resource, name)\n            hard = resource.getrlimit(limit)[1]\n"
        "            if hard == resource.RLIM_INFINITY: continue\n            try: resource.setrlimit(limit, (hard, hard + 1)); found.append(name)\n"
        "            except (OSError, ValueError): pass\n    return found\n"
    ),
    "processes": (
        "import os, subprocess, multiprocessing, _posixsubprocess\ndef f(x):\n    found = []\n    for how in (os.fork, os.forkpty,"
        " lambda: os.posix_spawn('/bin/python3', ['python3'], {}), lambda: subprocess.run(['/bin/python3', '-c', '1']),"
        " lambda: os.popen('true').read(), lambda: os.system('true') and 1 / 0):\n"
        "        try: found.append(how())\n        except (OSError, ZeroDivisionError): pass\n    return found\n"
    ),
    "system calls": (
        "import ctypes, errno, platform\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "CALLS = {'ptrace': (101, 0, 0, 0, 0), 'mount': (165, b'none', b'/tmp', b'tmpfs', 0, 0), 'umount2': (166, b'/tmp', 2),"
        " 'unshare': (272, 0x10000000), 'setns': (308, 0, 0), 'pivot_root': (155, b'/tmp', b'/tmp'), 'chroot': (161, b'/tmp'),"
        " 'keyctl': (250, 0, 0, 0), 'add_key': (248, b'user', b'x', b'y', 1, -2), 'request_key': (249, b'user', b'x', 0, 0),"
        " 'bpf': (321, 0, 0, 0), 'perf_event_open': (298, 0, 0, -1, -1, 0), 'userfaultfd': (323, 0), 'io_uring_setup': (425, 1, 0),"
        " 'memfd_create': (319, b'x', 0), 'process_vm_readv': (310, 1, 0, 0, 0, 0, 0), 'kcmp': (312, 1, 1, 0, 0, 0),"
        " 'open_by_handle_at': (304, 0, 0, 0), 'name_to_handle_at': (303, 0, b'/', 0, 0, 0), 'init_module': (175, 0, 0, 0),"
        " 'kexec_load': (246, 0, 0, 0, 0), 'reboot': (169, 0, 0, 0, 0), 'swapon': (167, b'/tmp/x', 0), 'acct': (163, 0),"
        " 'syslog': (103, 3, 0, 0), 'personality': (135, 0xffffffff), 'shmget': (29, 0, 4096, 0o1600), 'semget': (64, 0, 1, 0o1600),"
        " 'msgget': (68, 0, 0o1600), 'mq_open': (240, b'x', 0o100, 0o600, 0), 'fsopen': (430, b'tmpfs', 0), 'open_tree': (428, -100, b'/', 1),"
        " 'move_mount': (429, -1, b'', -1, b'/tmp', 0), 'pidfd_open': (434, 1, 0), 'seccomp': (317, 0, 0, 0), 'clone3': (435, 0, 0),"
        " 'clone newuser': (56, 0x10000011, 0, 0, 0, 0), 'clone fork': (56, 17, 0, 0, 0, 0), 'vfork': (58,), 'sethostname': (170, b'x', 1),"
        " 'settimeofday': (164, 0, 0), 'iopl': (172, 3), 'quotactl': (179, 0, 0, 0, 0), 'landlock': (444, 0, 0, 1), 'socket': (41, 2, 1, 0),"
        " 'inotify_init1': (294, 0), 'fanotify_init': (300, 0, 0), 'mlock': (149, 0, 0), 'setpriority': (141, 0, 0, -5), 'chown': (92, b'/tmp', 0, 0),"
        " 'mknod': (133, b'/tmp/n', 0o20600, 0x103), 'setxattr': (188, b'/tmp', b'user.x', b'y', 1, 0), 'memfd_secret': (447, 0)}\n"
        "def f(x):\n    if platform.machine() != 'x86_64': return []\n    found = []\n    for name, call in CALLS.items():\n"
        "        result = libc.syscall(*call)\n        if result == 0 and 'fork' in name: import os; os._exit(1)\n"
        "        if result != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS): found.append((name, result, ctypes.get_errno()))\n"
        "    return found\n"
    ),
    "symlinks out": (
        "import os\ndef f(x):\n    found = []\n    for target in ('/root', '/etc/shadow', '/proc/1/root', '../../../root', '/work', '/var/run'):\n"
        "        link = '/tmp/l' + str(len(target))\n        if os.path.islink(link): os.remove(link)\n        os.symlink(target, link)\n"
        "        try: os.stat(link); found.append(target)\n        except OSError: pass\n        os.remove(link)\n    return found\n"
    ),
    "hard links and devices": (
        "import os\ndef f(x):\n    found = []\n    for make in (lambda: os.link('/bin/python3', '/tmp/p'), lambda: os.mknod('/tmp/n', 0o20666, 0x103),"
        " lambda: os.mkfifo('/tmp/q')):\n        try: make(); found.append(1)\n        except OSError: pass\n    return found\n"
    ),
    "the tests": (
        "import gc, sys\nMARK = 'assert f(0)' + ' == []'\ndef f(x):\n    found = []\n    for o in gc.get_objects():\n"
        "        if isinstance(o, dict):\n            for v in list(o.values()):\n                if isinstance(v, str) and MARK in v and v is not MARK"
        " and 'hostile' not in v and 'gc.get_objects' not in v: found.append(v[:80])\n    return found\n"
    ),
    "the size of tmp": (
        "import os\ndef f(x):\n    s = os.statvfs('/tmp')\n    size = s.f_blocks * s.f_frsize\n    return [] if size <= 16 << 20 else [size]\n"
    ),
    "host name": "import socket, os\ndef f(x): return [] if os.uname().nodename == 'sandbox' else [os.uname().nodename]\n",
}
