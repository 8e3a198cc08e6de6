#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Random nests of volumes, as a runtime leaves them to the hook. After the hook no mount in there shows the source of a
mapped volume without its map, and unmounting does not uncover one. If the hook refuses a nest, all is as before.

oci-nests.py COMMAND COUNT: in /mnt, with a root filesystem in /mnt/rootfs.
"""
import ctypes
import itertools
import json
import os
import random
import re
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
BIND, REC, UNBINDABLE, PRIVATE, SLAVE, DETACH = 0x1000, 0x4000, 1 << 17, 1 << 18, 1 << 19, 2
SHARED = 1 << 20
WORDS = {'rprivate': PRIVATE | REC, 'rslave': SLAVE | REC, 'rshared': SHARED | REC, 'unbindable': UNBINDABLE,
         'runbindable': UNBINDABLE | REC}
ROOT = '/mnt/rootfs'
SEEN = 7


def mount(source, target, kind, flags):
    if LIBC.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), None) != 0:
        sys.exit(f'mount {source} on {target}: {os.strerror(ctypes.get_errno())}')


def fill(top, owner):
    """Makes all places of a nest in a directory."""
    for depth in range(4):
        for names in itertools.product('ab', repeat=depth):
            directory = os.path.join(top, *names)
            os.makedirs(directory, exist_ok=True)
            for name in 'fg':
                with open(f'{directory}/{name}', 'w', encoding='ascii'):
                    os.chown(f'{directory}/{name}', owner, owner)
            os.chown(directory, owner, owner)


def make_nest(rng):
    """Returns the volumes in the order of the configuration."""
    places = ['/vol']
    while len(places) < rng.randint(2, 6):
        above = rng.choice([place for place in places if place[-1] in 'lab' and place.count('/') < 4])
        places.append(f'{above}/{rng.choice("aaabf")}')
        places = list(dict.fromkeys(places))
    places.sort(key=lambda place: place.count('/'))
    if rng.random() < 0.1:
        rng.shuffle(places)
    nest = []
    for number, place in enumerate(places):
        volume = {'place': place, 'owner': 1000 + number, 'tmpfs': False, 'source': f'/mnt/nest{number}',
                  'mapped': rng.random() < 0.6, 'word': rng.choice(['rprivate', 'rprivate', 'rslave', *WORDS])}
        if place.endswith('f'):
            volume['source'] += '/g'
        elif not volume['mapped'] and rng.random() < 0.4:
            volume['tmpfs'] = True
        nest.append(volume)
    return nest


def mount_nest(nest, shared):
    mount('', '/', None, PRIVATE | REC)
    mount(ROOT, ROOT, None, BIND | REC)
    for volume in nest:
        target = ROOT + volume['place']
        if volume['tmpfs']:
            mount('tmpfs', target, 'tmpfs', 0)
            fill(target, volume['owner'])
        else:
            mount(volume['source'], target, None, BIND | REC)
            mount('', target, None, WORDS[volume['word']])
    if shared:
        mount('', ROOT, None, SHARED)


def table():
    """Returns (place, root, whether it is mapped) of each mount of the container."""
    with open('/proc/self/mountinfo', encoding='utf-8') as lines:
        fields = [line.split() for line in lines]
    return [(f[4], f[3], ',idmapped' in f[5]) for f in fields if f[4].startswith(ROOT + '/')]


def find_unmapped(nest):
    """Returns what shows a mapped source without a map."""
    roots = {os.path.relpath(volume['source'], '/mnt') for volume in nest if volume['mapped']}
    return [entry for entry in table() if not entry[2] and entry[1].strip('/') in roots]


def owner_at(place):
    try:
        return os.stat(ROOT + place).st_uid
    except OSError:
        return None


def is_hidden(nest, volume):
    later = nest[nest.index(volume) + 1:]
    return any(volume['place'].startswith(other['place'] + '/') for other in later)


def check_mapped(nest, rng):
    for volume in nest:
        if is_hidden(nest, volume):
            continue
        expected = SEEN if volume['mapped'] else volume['owner']
        if owner_at(volume['place']) not in ([expected, 0] if volume['tmpfs'] else [expected]):
            return f'{volume["place"]}: owner {owner_at(volume["place"])}, expected {expected}'
    if find_unmapped(nest):
        return f'not mapped: {find_unmapped(nest)}'
    for volume in rng.sample(nest, len(nest)):
        while LIBC.umount2((ROOT + volume['place']).encode(), DETACH) == 0:
            for other in nest:
                if other['mapped'] and owner_at(other['place']) == other['owner']:
                    return f'{other["place"]} is uncovered at {volume["place"]}'
    return None


def may_refuse(nest):
    """A later mount hides a mapped one."""
    return any(is_hidden(nest, v) for v in nest if v['mapped'])


def run_container(nest, rng, ready, go):
    shared = rng.random() < 0.3
    if LIBC.unshare(0x20000) != 0:
        sys.exit('unshare')
    mount_nest(nest, shared)
    before = table()
    os.write(ready, b'x')
    failed = os.read(go, 1) == b'1'
    if failed:
        wrong = None if table() == before and may_refuse(nest) else f'refused, before {before}, after {table()}'
    else:
        wrong = check_mapped(nest, rng)
    if wrong:
        print(wrong, flush=True)
    os._exit(bool(wrong))


def write_bundle(nest):
    os.makedirs('/mnt/nested', exist_ok=True)
    mounts = [{'destination': v['place'], 'type': 'tmpfs' if v['tmpfs'] else 'bind', 'source': v['source'],
               'options': ['nosuid'] if v['tmpfs'] else ['rbind', v['word']]} for v in nest]
    annotations = {f'io.idmount.map{v["place"]}': f'{v["owner"]}:{SEEN}' for v in nest if v['mapped']}
    with open('/mnt/nested/config.json', 'w', encoding='ascii') as file:
        json.dump({'ociVersion': '1.0.2', 'root': {'path': ROOT}, 'mounts': mounts, 'annotations': annotations}, file)


def try_nest(command, nest, rng):
    ready, go = os.pipe(), os.pipe()
    write_bundle(nest)
    child = os.fork()
    if child == 0:
        run_container(nest, rng, ready[1], go[0])
    os.close(ready[1])
    os.close(go[0])
    os.read(ready[0], 1)
    state = {'ociVersion': '1.0.2', 'id': 'x', 'status': 'creating', 'pid': child, 'bundle': '/mnt/nested'}
    hook = subprocess.run([command, 'oci-hook'], input=json.dumps(state), capture_output=True, text=True, check=False)
    os.write(go[1], b'1' if hook.returncode else b'0')
    status = os.waitpid(child, 0)[1]
    os.close(ready[0])
    os.close(go[1])
    return status == 0, hook


def main():
    refused = 0
    fill(ROOT + '/vol', 0)
    for number in range(6):
        fill(f'/mnt/nest{number}', 1000 + number)
    for seed in range(int(sys.argv[2])):
        rng = random.Random(seed)
        nest = make_nest(rng)
        fine, hook = try_nest(sys.argv[1], nest, rng)
        refused += hook.returncode != 0
        if not fine:
            sys.exit(f'nest {seed}: {re.sub("[{}]", "", json.dumps(nest, indent=1))}\n{hook.stderr}')
    print(f'{refused} refused')


main()
