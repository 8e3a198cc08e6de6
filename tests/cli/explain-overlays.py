#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Random overlays: each verdict of "idmount explain" is what the process gets from the kernel, or it is "not known".

The layers have directories of the same names, whiteouts, opaque directories, redirects and files without data. They are
mapped or not, visible or detached. Root of the host or of a container mounts them. Each process reads, searches and
executes everything first. Then it changes single files, so that later verdicts are about what has been copied up.

explain-overlays.py COMMAND ROUNDS SEED: in /mnt, as root, in a mount namespace of its own.
"""
import collections
import ctypes
import errno
import json
import os
import random
import re
import shutil
import stat
import struct
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
NEWUSER, NEWNS = 0x10000000, 0x20000
DETACH, RDONLY = 2, 1
PR_SET_DUMPABLE, PR_SET_SECUREBITS = 4, 28
NO_SETUID_FIXUP = 4
with open('/proc/self/status', encoding='ascii') as status:
    EVERY = int(re.search(r'CapPrm:\s*(\w+)', status.read())[1], 16)
LAYERS, MAPPED, OVER = '/mnt/layers', '/mnt/mapped', '/mnt/over'
IDS = [0, 1, 5, 1000, 65534, 100000, 100001, 100005, 101000]
USERS = [0, 1, 5, 1000]
MAPS = ['0:0:65536', '1000:0:1 0:1000:1 1:1:5', '0:0:2 1000:1000:1', '0:100000:65536', '5:0:1 1000:1000:1 0:5:1',
        '0:0:1 100000:100000:10', '0:0:6 100005:100005:1 1000:1001:1', '0:0:10 100000:100000:1001']
DIRECTORIES = ['a', 'b', 'a/c', 'a/d', 'b/d', 'a/c/e']
FILES = ['f', 'g'] + [f'{directory}/{name}' for directory in DIRECTORIES for name in 'fg']
CHANGES = ['write', 'create', 'unlink', 'chmod', 'chown']


def checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount(source, target, kind=None, flags=0, data=''):
    checked(LIBC.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), data.encode()))


def unmount(target):
    while LIBC.umount2(target.encode(), DETACH) == 0:
        pass


# ---- layers ----


def random_mode(rng, is_directory):
    mode = rng.choice([rng.randrange(0o1000), 0o755, 0o777, 0o750, 0o770, 0o705, 0o644, 0o640, 0o711])
    if is_directory:
        return mode | rng.choice([0, 0, 0, 0o1000, 0o2000])
    return mode


def random_acl(rng, mode):
    entries = [(1, mode >> 6 & 7, -1)]
    entries += [(2, rng.randrange(8), uid) for uid in sorted(rng.sample(IDS, rng.randrange(3)))]
    entries += [(4, rng.randrange(8), -1)]
    entries += [(8, rng.randrange(8), gid) for gid in sorted(rng.sample(IDS, rng.randrange(3)))]
    entries += [(16, mode >> 3 & 7, -1), (32, mode & 7, -1)]
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHi', *entry) for entry in entries)


def set_owner(rng, path):
    """Most directories let every process through, so that what is in them is tried."""
    is_directory = os.path.isdir(path)
    mode = 0o755 if is_directory and rng.random() < 0.5 else random_mode(rng, is_directory)
    os.chown(path, rng.choice(IDS), rng.choice(IDS))
    os.chmod(path, mode)
    if rng.random() < 0.15:
        os.setxattr(path, 'system.posix_acl_access', random_acl(rng, mode))
    if is_directory and rng.random() < 0.1:
        os.setxattr(path, 'system.posix_acl_default', random_acl(rng, mode))


def mark_directory(rng, path, prefix, redirects):
    kind = rng.random()
    if kind < 0.15:
        os.setxattr(path, f'{prefix}.opaque', b'y')
    elif kind < 0.2 and redirects:
        os.setxattr(path, f'{prefix}.redirect', rng.choice([b'/a', b'/b/d', b'd', b'c', b'/a/c']))


def make_file(rng, path, prefix):
    kind = rng.random()
    if kind < 0.1:
        os.mknod(path, stat.S_IFCHR, 0)
        return
    if kind < 0.15:
        os.mkfifo(path)
    elif kind < 0.25:
        os.mkdir(path)
    else:
        with open(path, 'w', encoding='ascii') as file:
            file.write(rng.choice(['', 'text\n']))
        if kind < 0.3 and not os.path.getsize(path):
            os.setxattr(path, f'{prefix}.whiteout', b'y')
    set_owner(rng, path)


def make_layer(rng, top, prefix, redirects):
    os.mkdir(top)
    for directory in DIRECTORIES:
        path = f'{top}/{directory}'
        if not os.path.isdir(os.path.dirname(path)) or rng.random() < 0.3:
            continue
        if rng.random() < 0.07:
            make_file(rng, path, prefix)
            continue
        os.mkdir(path)
        mark_directory(rng, path, prefix, redirects)
    for name in FILES:
        if os.path.isdir(os.path.dirname(f'{top}/{name}')) and rng.random() < 0.4:
            make_file(rng, f'{top}/{name}', prefix)
    for directory in DIRECTORIES:
        if os.path.isdir(f'{top}/{directory}'):
            set_owner(rng, f'{top}/{directory}')
    os.chmod(top, rng.choice([0o755, 0o777, 0o1777]))


# ---- overlays ----


class Overlay:
    """How the layers are mounted."""

    def __init__(self, rng):
        self.by = rng.choice(['host', 'host', 'host', 'container', 'detached'])
        self.userxattr = self.by == 'container' and rng.random() < 0.8 or self.by == 'host' and rng.random() < 0.2
        self.map = rng.choice(MAPS)
        self.mapped_lower = rng.random() < 0.5
        self.mapped_upper = rng.random() < 0.4
        self.has_upper = rng.random() < 0.8
        self.metacopy = self.by == 'host' and not self.userxattr and rng.random() < 0.3
        self.readonly = rng.random() < 0.1
        self.n_lower = rng.choice([1, 2, 3]) if self.has_upper else rng.choice([2, 3])

    def __str__(self):
        return ' '.join(f'{key}={value}' for key, value in vars(self).items())

    def options(self):
        lower = MAPPED if self.mapped_lower else LAYERS
        upper = MAPPED if self.mapped_upper else LAYERS
        text = 'lowerdir=' + ':'.join(f'{lower}/low{i}' for i in range(self.n_lower))
        if self.has_upper:
            text += f',upperdir={upper}/upper,workdir={upper}/work'
        return text + ',userxattr' * self.userxattr + ',metacopy=on,redirect_dir=on' * self.metacopy

    def make_layers(self, rng):
        prefix = 'user.overlay' if self.userxattr else 'trusted.overlay'
        unmount(LAYERS)
        unmount(MAPPED)
        mount('layers', LAYERS, 'tmpfs', 0, 'mode=755')
        for i in range(self.n_lower):
            make_layer(rng, f'{LAYERS}/low{i}', prefix, not self.userxattr and self.by != 'container')
        make_layer(rng, f'{LAYERS}/upper', prefix, not self.userxattr and self.by != 'container')
        os.chown(f'{LAYERS}/upper', *([100000] * 2 if self.by == 'container' else [rng.choice(IDS)] * 2))
        os.mkdir(f'{LAYERS}/work')
        os.chown(f'{LAYERS}/work', *([100000] * 2 if self.by == 'container' else [0, 0]))
        maps = [word for entry in self.map.split() for word in ('-m', entry)]
        subprocess.run([COMMAND, 'mount', *maps, LAYERS, MAPPED], check=True, stderr=subprocess.DEVNULL)

    def mount(self):
        mount('overlay', OVER, 'overlay', RDONLY * self.readonly, self.options())

    def mount_detached(self):
        words = [COMMAND, 'overlay', *(word for entry in self.map.split() for word in ('-m', entry))]
        for i in range(self.n_lower):
            words += ['-L', f'{LAYERS}/low{i}']
        if self.has_upper:
            words += ['-U', f'{LAYERS}/upper', '-W', f'{LAYERS}/work']
        subprocess.run([*words, OVER], check=True, stderr=subprocess.DEVNULL)

    def change_files(self, rng):
        """Leaves redirects, files without data, and opaque directories as the kernel makes them."""
        for _ in range(4):
            name = f'{OVER}/{rng.choice(DIRECTORIES + FILES)}'
            try:
                rng.choice([lambda: os.chown(name, rng.choice(IDS), rng.choice(IDS)), lambda: os.rename(name, name + 'n'),
                            lambda: os.rename(name, f'{OVER}/{rng.choice("abfg")}')])()
            except OSError:
                pass
        unmount(OVER)
        self.mount()


# ---- processes ----


class Worker:
    """A process that tries accesses, and its credentials."""

    def __init__(self, rng, in_container):
        self.uid, self.gid = rng.choice(USERS), rng.choice(USERS)
        self.groups = rng.sample(USERS, rng.randrange(3))
        self.capabilities = rng.choice([EVERY, 0, 0, rng.randrange(32)])
        self.in_container = in_container
        self.pid = 0
        self.to_worker, self.from_worker = os.pipe(), os.pipe()
        self.requests = self.answers = None

    def __str__(self):
        return f'{self.uid}:{self.gid} groups {self.groups} caps {self.capabilities:x}' + ' in container' * self.in_container

    def begin(self):
        self.requests = os.fdopen(self.to_worker[1], 'w', encoding='utf-8')
        self.answers = os.fdopen(self.from_worker[0], encoding='utf-8')
        os.close(self.to_worker[0])
        os.close(self.from_worker[1])
        self.pid = json.loads(self.answers.readline())

    def ask(self, *request):
        print(json.dumps(request), file=self.requests, flush=True)
        return json.loads(self.answers.readline())

    def end(self):
        self.requests.close()
        self.answers.close()

    def become(self):
        os.setgroups(self.groups)
        checked(LIBC.prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0))
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        halves = [self.capabilities & 0xffffffff, self.capabilities & 0xffffffff, 0,
                  self.capabilities >> 32, self.capabilities >> 32, 0]
        checked(LIBC.capset(struct.pack('Ii', 0x20080522, 0), struct.pack('6I', *halves)))
        checked(LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))

    def serve(self, workers):
        """Does not return. Without the other pipes, the end of a worker is seen."""
        for fd in [fd for other in workers if other is not self for fd in other.to_worker + other.from_worker]:
            os.close(fd)
        os.close(self.to_worker[1])
        os.close(self.from_worker[0])
        self.become()
        with os.fdopen(self.to_worker[0], encoding='utf-8') as requests, \
             os.fdopen(self.from_worker[1], 'w', encoding='utf-8') as answers:
            print(json.dumps(os.getpid()), file=answers, flush=True)
            for line in requests:
                print(json.dumps(try_access(*json.loads(line))), file=answers, flush=True)
        os._exit(0)


def open_and_close(path, flags):
    os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o600))


def execute(path):
    """In a child. A text without an interpreter passes all checks of permission."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.execv(path, [path])
        except OSError as error:
            os.write(writer, b'%d' % error.errno)
        os._exit(0)
    os.close(writer)
    number = int(os.read(reader, 16) or 0)
    os.close(reader)
    os.waitpid(child, 0)
    return 0 if number == errno.ENOEXEC else number


def try_access(access, path, value):
    """Returns the errno of the kernel, or 0."""
    try:
        is_directory = stat.S_ISDIR(os.lstat(path).st_mode)
        if access == 'exec':
            if not is_directory:
                return execute(path)
            try:
                os.stat(f'{path}/.')
            except FileNotFoundError:
                pass
        elif access == 'write' and is_directory:
            checked(LIBC.faccessat(-100, path.encode(), os.W_OK, 0x200))
        elif access == 'read' and is_directory:
            os.listdir(path)
        elif access in ('read', 'write'):
            open_and_close(path, os.O_RDONLY if access == 'read' else os.O_WRONLY)
        elif access == 'create':
            open_and_close(f'{path}/{value}', os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        elif access == 'unlink':
            (os.rmdir if is_directory else os.unlink)(path)
        elif access == 'chmod':
            os.chmod(path, value)
        else:
            os.chown(path, *value)
    except OSError as error:
        return 0 if error.errno == errno.ENXIO else error.errno
    return 0


def write_maps(pid, mappings):
    for kind in ('uid_map', 'gid_map'):
        with open(f'/proc/{pid}/{kind}', 'w', encoding='ascii') as file:
            file.write(mappings)


def enter_container():
    """A child of the parent's user namespace writes the maps."""
    own, pipe = os.getpid(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(pipe[1])
        os.read(pipe[0], 1)
        write_maps(own, '0 100000 1001\n')
        os._exit(0)
    os.close(pipe[0])
    checked(LIBC.unshare(NEWUSER))
    os.close(pipe[1])
    if os.waitpid(child, 0)[1]:
        sys.exit('the maps of a container')
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    checked(LIBC.unshare(NEWNS))


def start_workers(workers, in_container, prepare):
    """Forks a process that enters the namespaces, and starts the workers from there."""
    leader = os.fork()
    if leader == 0:
        if in_container:
            enter_container()
        if prepare:
            try:
                prepare()
            except OSError as error:
                print(f'overlay: {error}', file=sys.stderr)
        for worker in workers:
            if os.fork() == 0:
                worker.serve(workers)
        os._exit(0)
    for worker in workers:
        worker.begin()
    os.waitpid(leader, 0)


# ---- verdicts ----

COUNTS = collections.Counter()
SHOWN = collections.Counter()


def explain(worker, accesses, paths):
    words = [COMMAND, 'explain', '--json', '--pid', str(worker.pid), *accesses, '--', *paths]
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return json.loads(result.stdout)


def last_of(path, words, access):
    """The step of this access to the file itself."""
    names = {'exec': ('exec', 'search')}.get(access, (access,))
    tail = path['steps'][-len(words):]
    if not path['file'] or not path['file']['type'] or len(tail) < len(words):
        return None
    step = tail[words.index(access)]
    return step if step['access'] in names else None


def verdict_of(path, words, access):
    """(errno or 0 or None: not known, text)"""
    step = last_of(path, words, access)
    way = [each for each in path['steps'] if each is not step and each['access'] == 'search']
    refused = next((each for each in way if each['allowed'] is False), None)
    if refused and (not step or step['behind']):
        return getattr(errno, refused['errno']), refused['reason']
    if path['error'] and not step and path['error']['step'] == 'look up path' and path['error']['errno'] == 'EACCES':
        return None, 'closed to the caller'
    unknown = next((each for each in way if each['allowed'] is None), None)
    if unknown:
        return None, unknown['reason']
    if path['error'] and not step:
        return getattr(errno, path['error']['errno']), 'error: ' + path['error']['step']
    if not step:
        return -1, 'no verdict'
    if step['allowed'] is None:
        return None, step['reason']
    return (0 if step['allowed'] else getattr(errno, step['errno'])), step['reason']


def compare(path, words, access, kernel):
    """Returns whether the verdict is the kernel's, or not known."""
    verdict, text = verdict_of(path, words, access)
    # Redirects can show one directory in two places. A directory that is not empty is not removed, nor copied.
    if kernel == errno.ESTALE or (kernel == errno.ENOTEMPTY and verdict != errno.EACCES):
        return True
    COUNTS['verdicts'] += 1
    COUNTS['refused'] += bool(kernel)
    if verdict is None:
        COUNTS['not known'] += 1
        return True
    if verdict == kernel:
        return True
    return bool(kernel and verdict and f'; {errno.errorcode[kernel]}, if' in (text or ''))


def complain(overlay, worker, access, value, path, kernel, words):
    COUNTS['wrong'] += 1
    verdict, text = verdict_of(path, words, access)
    key = (access, kernel, verdict)
    SHOWN[key] += 1
    if SHOWN[key] > 2:
        return
    name = errno.errorcode.get(kernel, kernel)
    print(f'round {overlay.round}: {access} {value or ""} {path["path"]}: the kernel: {name}, explain: '
          f'{errno.errorcode.get(verdict, verdict)} {text}\n  {overlay}\n  {worker}\n  layer {path["layer"]}')
    file = path['file'] or {}
    print('  ', {key: file.get(key) for key in ('type', 'mode', 'owner', 'group', 'acl')}, path['unseen'])
    sys.stdout.flush()


def judge(overlay, worker, changes, value, paths):
    """Compares reading and executing of all paths, or one change of one path."""
    words = changes or ['read', 'exec']
    options = []
    for word in words:
        options.append(f'--{word}')
        if word == 'chown':
            options.append(':'.join('' if each < 0 else str(each) for each in value).rstrip(':'))
    for path in explain(worker, options, paths):
        for access in words:
            kernel = worker.ask(access, path['path'], value)
            if not compare(path, words, access, kernel):
                complain(overlay, worker, access, value, path, kernel, words)


def list_paths(worker):
    """Those that the worker's mount namespace has, and a missing name in each directory."""
    top = f'/proc/{worker.pid}/root{OVER}'
    paths = [OVER]
    for directory, directories, files in os.walk(top):
        paths += [f'{OVER}{directory[len(top):]}/{name}' for name in directories + files + ['missing']]
    return paths


def change_some(overlay, rng, worker, paths, n):
    for number in range(n):
        path = rng.choice(paths)
        try:
            is_directory = os.path.isdir(f'/proc/{worker.pid}/root{path}')
        except OSError:
            continue
        change = rng.choice([each for each in CHANGES if is_directory or each != 'create'])
        value = {'create': f'new{worker.pid}.{number}', 'chmod': 0o640}.get(change)
        if change == 'chown':
            value = rng.choice([(rng.choice(USERS), -1), (-1, rng.choice(USERS)), (rng.choice(USERS), rng.choice(USERS))])
        if path != OVER or change != 'unlink':
            judge(overlay, worker, [change], value, [path])


def try_overlay(rng, number):
    overlay = Overlay(rng)
    overlay.make_layers(rng)
    unmount(OVER)
    try:
        if overlay.by == 'host':
            overlay.mount()
            if overlay.has_upper and not overlay.readonly and rng.random() < 0.5:
                overlay.change_files(rng)
        elif overlay.by == 'detached':
            overlay.mount_detached()
    except (OSError, subprocess.CalledProcessError):
        COUNTS['not mounted'] += 1
        return
    overlay.round = number
    in_container = overlay.by == 'container' or rng.random() < 0.4
    workers = [Worker(rng, in_container) for _ in range(3)]
    start_workers(workers, in_container, overlay.mount if overlay.by == 'container' else None)
    COUNTS['overlays'] += 1
    paths = list_paths(workers[0])
    for worker in workers:
        judge(overlay, worker, None, None, rng.sample(paths, min(len(paths), 12)))
    for worker in workers:
        change_some(overlay, rng, worker, paths, 8)
        worker.end()


def main():
    for directory in (LAYERS, MAPPED, OVER):
        os.makedirs(directory, exist_ok=True)
    os.umask(0)
    only = os.environ.get('IDM_ROUND')
    for number in [int(only)] if only else range(ROUNDS):
        try_overlay(random.Random(SEED * 1000003 + number), number)
    print(f'proof verdicts: {COUNTS["verdicts"]} verdicts of idmount explain on overlays, beside the kernel\'s')
    print(f'proof verdicts: {COUNTS["not known"]} of them not known')
    print(', '.join(f'{key}: {n}' for key, n in COUNTS.items()))
    # Most layers are visible, and both answers are common.
    is_hollow = COUNTS['not known'] * 5 > COUNTS['verdicts'] or not 0.2 < COUNTS['refused'] / COUNTS['verdicts'] < 0.9
    sys.exit(bool(COUNTS['wrong'] or is_hollow))


COMMAND, ROUNDS, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
main()
