// SPDX-License-Identifier: MIT
/* Random user namespaces, maps, files and processes. */
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "random-case.h"

/* Few IDs, so that they meet often. */
static const uint32_t ids[] = { 0, 1, 2, 3, 1000, 1001, 1002, 1003 };

static const int all_capabilities[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
					CAP_FSETID };

static uint32_t pick_id(struct rng *rng)
{
	return ids[rng_below(rng, ARRAY_SIZE(ids))];
}

bool one_in(struct rng *rng, uint32_t n)
{
	return rng_below(rng, n) == 0;
}

/* ---- maps and namespaces ---- */

/* Some of the numbers in `from`, or of 0 to `n` - 1, each to another one of the list above. */
static void add_random_side(struct rng *rng, struct idm_map *map, unsigned int kind,
			    const uint32_t *from, uint32_t n)
{
	uint32_t to[ARRAY_SIZE(ids)];

	memcpy(to, ids, sizeof(to));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t other = i + rng_below(rng, (uint32_t)ARRAY_SIZE(to) - i), kept = to[i];
		struct idm_entry entry = { from ? from[i] : i, to[other], 1 };

		to[i] = to[other];
		to[other] = kept;
		if (i == 0 || rng_below(rng, 4))
			assert_ok(idm_map_add(map, kind, &entry, 1, NULL), NULL);
	}
}

static struct idm_map *random_pairs(struct rng *rng, const uint32_t *from, uint32_t n)
{
	struct idm_map *map = map_of("");

	add_random_side(rng, map, IDM_UID, from, n);
	add_random_side(rng, map, IDM_GID, from, n);
	return map;
}

int open_elsewhere(int (*body)(void *), void *arg)
{
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	int *fd = mmap(NULL, sizeof(*fd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = (pid_t)must(syscall(SYS_clone3, &args, sizeof(args)));
	int opened;

	if (pid == 0) {
		*fd = body(arg);
		_exit(0);
	}
	await_child(pid);
	opened = *fd;
	munmap(fd, sizeof(*fd));
	return opened;
}

void join_as_root(const struct namespace *ns)
{
	must(setns(ns->fd, CLONE_NEWUSER));
	must(syscall(SYS_setresgid, 0, 0, 0));
	must(syscall(SYS_setresuid, 0, 0, 0));
	must(prctl(PR_SET_DUMPABLE, 1));
}

void free_namespace(struct namespace *ns)
{
	idm_map_free(ns->map);
	close(ns->fd);
}

static struct namespace new_namespace(struct rng *rng)
{
	struct namespace ns = { -1, random_pairs(rng, NULL, INSIDE) };
	struct idm_error err;

	ns.fd = (int)assert_ok(idm_userns_open(ns.map, 0, &err), &err);
	return ns;
}

/* Root of the initial namespace can create files in a filesystem of this one. */
static struct namespace new_namespace_with_root(struct rng *rng)
{
	for (;;) {
		struct namespace ns = new_namespace(rng);
		uint32_t inside;

		if (idm_map_to_disk(ns.map, IDM_UID, 0, &inside) == 0 &&
		    idm_map_to_disk(ns.map, IDM_GID, 0, &inside) == 0)
			return ns;
		free_namespace(&ns);
	}
}

/* Another one than the initial one, with the same map. */
static struct namespace new_namespace_of_all(void)
{
	struct namespace ns = { -1, map_of("0:0:4294967295") };
	struct idm_error err;

	ns.fd = (int)assert_ok(idm_userns_open(ns.map, 0, &err), &err);
	return ns;
}

struct nested {
	const struct namespace *outer;
	const struct idm_map *map;
};

static int open_nested(void *arg)
{
	const struct nested *nested = arg;
	struct idm_error err;

	join_as_root(nested->outer);
	return (int)assert_ok(idm_userns_open(nested->map, 0, &err), &err);
}

/* Inside IDs to those of `outer`: some of the same numbers, rotated. */
static struct namespace new_nested(struct rng *rng, const struct namespace *outer)
{
	struct namespace ns = { -1, NULL };
	AUTO_MAP struct idm_map *map = map_of("");
	struct nested nested = { outer, map };

	for (unsigned int kind = IDM_UID; kind <= IDM_GID; kind++) {
		uint32_t turn = rng_below(rng, INSIDE), ignored;

		for (uint32_t i = 0; i < INSIDE; i++) {
			struct idm_entry entry = { i, (i + turn) % INSIDE, 1 };

			if (idm_map_to_seen(outer->map, kind, entry.seen, &ignored) == 0 &&
			    (entry.seen == 0 || rng_below(rng, 4)))
				assert_ok(idm_map_add(map, kind, &entry, 1, NULL), NULL);
		}
	}
	ns.fd = open_elsewhere(open_nested, &nested);
	assert_ok(idm_map_copy(map, &ns.map), NULL);
	assert_ok(idm_map_compose(ns.map, outer->map), NULL);
	return ns;
}

void make_namespaces(struct rng *rng, struct namespace *namespaces, size_t n)
{
	namespaces[0] = (struct namespace){ -1, NULL };
	namespaces[1] = new_namespace_with_root(rng);
	namespaces[2] = new_namespace_of_all();
	for (size_t i = 3; i < n; i++)
		namespaces[i] = i < 6 ? new_namespace(rng)
				      : new_nested(rng, &namespaces[i == 6 ? 1 : i - 4]);
}

uint32_t to_outside(const struct process *p, unsigned int kind, uint32_t id)
{
	if (p->ns->map)
		assert_ok(idm_map_to_seen(p->ns->map, kind, id, &id), NULL);
	return id;
}

/* ---- cases ---- */

static uint32_t random_outside(struct rng *rng, const struct namespace *ns, unsigned int kind)
{
	const struct idm_entry *entries;
	size_t n = ns->map ? idm_map_entries(ns->map, kind, &entries) : 0;
	const struct idm_entry *entry = n ? &entries[rng_below(rng, (uint32_t)n)] : NULL;

	return entry ? entry->seen + rng_below(rng, entry->count) : pick_id(rng);
}

static uint32_t random_inside(struct rng *rng, const struct namespace *ns, unsigned int kind)
{
	uint32_t id = random_outside(rng, ns, kind);

	if (ns->map)
		assert_ok(idm_map_to_disk(ns->map, kind, id, &id), NULL);
	return id;
}

static uint32_t random_permissions(struct rng *rng)
{
	return one_in(rng, 3) ? 7 : rng_below(rng, 8);
}

/* An ACL with an ID that the layer does not map cannot be copied up. */
static bool can_have_entry(const struct random_case *c, const struct idm_acl_entry *e)
{
	uint32_t seen;

	return !c->fs->layered || !c->mount_map ||
	       idm_map_to_seen(c->mount_map, e->kind, e->id, &seen) == 0;
}

static void add_random_acl(struct rng *rng, const struct random_case *c, struct file *file)
{
	file->flags |= IDM_INODE_ACL;
	file->acl_group = rng_below(rng, 8);
	for (uint32_t n = rng_below(rng, NAMED + 1); file->n_acl < n; file->n_acl++) {
		struct idm_acl_entry *e = &file->acl[file->n_acl];

		*e = (struct idm_acl_entry){ one_in(rng, 2) ? IDM_UID : IDM_GID, 0, rng_below(rng, 8) };
		e->id = random_outside(rng, c->fs->ns, e->kind);
		if (!can_have_entry(c, e))
			return;
		for (size_t i = 0; i < file->n_acl; i++)
			if (file->acl[i].kind == e->kind && file->acl[i].id == e->id)
				return;
	}
}

static struct file random_file(struct rng *rng, const struct random_case *c, uint32_t type)
{
	const struct filesystem *fs = c->fs;
	struct file file = { .mode = type };

	for (int i = 0; i < 3; i++)
		file.mode |= random_permissions(rng) << (3 * i);
	file.uid = random_outside(rng, fs->ns, IDM_UID);
	file.gid = random_outside(rng, fs->ns, IDM_GID);
	if (one_in(rng, 2))
		file.mode |= rng_below(rng, 8) << 9;
	if (one_in(rng, 3))
		add_random_acl(rng, c, &file);
	if (one_in(rng, 10) && (S_ISREG(type) || S_ISDIR(type)))
		file.flags |= one_in(rng, 2) ? IDM_INODE_IMMUTABLE : IDM_INODE_APPEND;
	return file;
}

static struct process random_process(struct rng *rng, const struct namespace *ns)
{
	struct process p = { .ns = ns, .n_groups = rng_below(rng, 3) };
	bool none = one_in(rng, 3);

	p.uid = random_inside(rng, ns, IDM_UID);
	p.gid = random_inside(rng, ns, IDM_GID);
	for (size_t i = 0; i < p.n_groups; i++)
		p.groups[i] = random_inside(rng, ns, IDM_GID);
	for (size_t i = 0; i < ARRAY_SIZE(all_capabilities) && !none; i++)
		if (one_in(rng, 2))
			p.capabilities |= 1ULL << all_capabilities[i];
	return p;
}

static struct idm_map *random_mount_map(struct rng *rng, const struct filesystem *fs)
{
	return fs->ns->map ? random_pairs(rng, NULL, INSIDE)
			   : random_pairs(rng, ids, (uint32_t)ARRAY_SIZE(ids));
}

/* Root of a user namespace cannot create a device: so an overlay cannot copy one up. */
static uint32_t random_type(struct rng *rng, const struct filesystem *fs)
{
	if (!one_in(rng, 5))
		return S_IFREG;
	return one_in(rng, 2) && !(fs->layered && fs->ns->map) ? S_IFCHR : S_IFIFO;
}

struct random_case new_case(struct rng *rng, const struct filesystem *fs, const struct namespace *ns)
{
	struct random_case c = { .fs = fs };

	/* A user namespace cannot map layers that belong to the initial one. */
	c.mount_map = one_in(rng, 3) || (fs->layered && fs->ns->map) ? NULL : random_mount_map(rng, fs);
	c.file = random_file(rng, &c, random_type(rng, fs));
	c.directory = random_file(rng, &c, S_IFDIR);
	c.victim = random_file(rng, &c, S_IFREG);
	c.attr = (one_in(rng, 12) ? IDM_ATTR_RDONLY : 0) | (one_in(rng, 8) ? IDM_ATTR_NOEXEC : 0) |
		 (fs->ns->map || one_in(rng, 2) ? IDM_ATTR_NODEV : 0);
	c.fs_readonly = !fs->layered && one_in(rng, 25);
	c.process = random_process(rng, ns);
	c.new_uid = one_in(rng, 4) ? IDM_EXPLAIN_NO_ID : rng_below(rng, INSIDE + 1);
	c.new_gid = one_in(rng, 2) && c.new_uid != IDM_EXPLAIN_NO_ID ? IDM_EXPLAIN_NO_ID
								     : rng_below(rng, INSIDE + 1);
	return c;
}
