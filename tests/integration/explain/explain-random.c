// SPDX-License-Identifier: MIT
/*
 * Random files, mounts and processes: the verdict of idm_explain() is the kernel's, with the same errno.
 * When a refused case is cured by changing what the result names, that rule no longer refuses it.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/macros.h"
#include "random-case.h"

#define CASES (test_is_long() ? 10000 : test_is_slow() ? 300 : 1200)

#define RULES_MOST 8 /* that refuse one access, one after the other */

static void tmpfs_is_not_mapped(void)
{
	untried("a tmpfs cannot be mapped");
}

static const char *const try_names[] = { "read file",	     "write file",	"execute file",
					 "chmod file",	     "read directory",	"write directory",
					 "search directory", "chmod directory", "create",
					 "unlink",	     "chown file",	"chown directory" };

/* ---- the library's ---- */

static uint32_t show_in_layer(const struct random_case *c, unsigned int kind, uint32_t id)
{
	if (c->mount_map && idm_map_to_seen(c->mount_map, kind, id, &id) < 0)
		return IDM_EXPLAIN_NO_ID;
	return id;
}

/* An overlay has the IDs that its layers show. */
static struct file show_file_in(const struct random_case *c, const struct file *file)
{
	struct file shown = *file;

	if (!c->fs->layered)
		return shown;
	shown.uid = show_in_layer(c, IDM_UID, file->uid);
	shown.gid = show_in_layer(c, IDM_GID, file->gid);
	for (size_t i = 0; i < file->n_acl; i++)
		shown.acl[i].id = show_in_layer(c, file->acl[i].kind, file->acl[i].id);
	return shown;
}

static struct idm_explain_inode facts_of(const struct file *file)
{
	struct idm_explain_inode inode = IDM_EXPLAIN_INODE_INIT;

	inode.mode = file->mode;
	inode.uid = file->uid;
	inode.gid = file->gid;
	inode.flags = file->flags;
	inode.acl_group = file->acl_group;
	inode.acl = file->acl;
	inode.n_acl = file->n_acl;
	return inode;
}

/* The owner of a user namespace has all capabilities in it, from the namespace above. It is root here.
 */
static uint64_t capabilities_in(const struct namespace *target, const struct process *p)
{
	if (p->ns == target)
		return p->capabilities;
	if (p->ns->map)
		return 0;
	return p->uid == 0 ? ~0ULL : p->capabilities;
}

static struct idm_explain_result explain(const struct random_case *c, int try)
{
	static const enum idm_access accesses[] = {
		IDM_ACCESS_READ,   IDM_ACCESS_WRITE,  IDM_ACCESS_EXECUTE, IDM_ACCESS_CHMOD,
		IDM_ACCESS_READ,   IDM_ACCESS_WRITE,  IDM_ACCESS_EXECUTE, IDM_ACCESS_CHMOD,
		IDM_ACCESS_CREATE, IDM_ACCESS_UNLINK, IDM_ACCESS_CHOWN,	  IDM_ACCESS_CHOWN
	};
	const struct file files[] = { show_file_in(c, &c->file), show_file_in(c, &c->directory),
				      show_file_in(c, &c->victim) };
	struct idm_explain_inode file = facts_of(&files[0]), directory = facts_of(&files[1]),
				 victim = facts_of(&files[2]);
	struct idm_explain_options o = IDM_EXPLAIN_OPTIONS_INIT;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;
	const struct process *p = &c->process;
	uint32_t groups[ARRAY_SIZE(p->groups)];
	struct idm_error err;

	for (size_t i = 0; i < p->n_groups; i++)
		groups[i] = to_outside(p, IDM_GID, p->groups[i]);
	o.access = accesses[try];
	o.attr = c->attr;
	o.inode = try <= FILE_CHMOD || try == FILE_CHOWN ? &file : try == UNLINK ? &victim : &directory;
	o.directory = &directory;
	o.mount_map = c->fs->layered ? NULL : c->mount_map;
	o.fs_map = c->fs->ns->map;
	o.userns_map = p->ns->map;
	o.capabilities = p->capabilities;
	o.fs_capabilities = capabilities_in(c->fs->ns, p);
	o.groups = groups;
	o.n_groups = p->n_groups;
	o.fsuid = to_outside(p, IDM_UID, p->uid);
	o.fsgid = to_outside(p, IDM_GID, p->gid);
	o.new_uid = c->new_uid;
	o.new_gid = c->new_gid;
	o.fs_readonly = c->fs_readonly;
	assert_ok(idm_explain(&o, &result, &err), &err);
	return result;
}

/* ---- overlays ---- */

/* The verdict about the process that mounted the overlay, in the layer. It is root of its user
 * namespace. */
static struct idm_explain_result explain_as_mounter(const struct random_case *c, int try)
{
	struct filesystem layer = *c->fs;
	struct random_case mounter = *c;

	layer.layered = false;
	layer.ns = c->fs->layer_ns;
	mounter.fs = &layer;
	mounter.attr = 0;
	mounter.process = (struct process){ .ns = c->fs->ns, .capabilities = ~0ULL };
	return explain(&mounter, try);
}

/*
 * An overlay asks for each permission twice: the process in the overlay, and the mounter in the layer.
 * The mounter opens a program to read it.
 */
static struct idm_explain_result explain_twice(const struct random_case *c, int try)
{
	struct idm_explain_result result = explain(c, try);

	if (!result.rule)
		result = explain_as_mounter(c, try);
	if (!result.rule && try == FILE_EXECUTE)
		result = explain_as_mounter(c, FILE_READ);
	return result;
}

/* An owner that the layer does not map cannot be copied up, even if it is to be changed. */
static struct idm_explain_result explain_chown_in_overlay(const struct random_case *c, int try)
{
	struct idm_explain_result result = explain(c, try);

	if (!result.rule && (result.uid == IDM_EXPLAIN_NO_ID || result.gid == IDM_EXPLAIN_NO_ID)) {
		result.rule = IDM_RULE_UNMAPPED_OWNER;
		result.errnum = EOVERFLOW;
	}
	return result;
}

static struct idm_explain_result predict(const struct random_case *c, int try)
{
	struct idm_explain_result search;

	if (!c->fs->layered || try == FILE_CHMOD || try == DIRECTORY_CHMOD)
		return explain(c, try);
	if (try == FILE_CHOWN || try == DIRECTORY_CHOWN)
		return explain_chown_in_overlay(c, try);
	if (try != CREATE && try != UNLINK)
		return explain_twice(c, try);
	search = explain_twice(c, DIRECTORY_EXECUTE);
	return search.rule ? search : explain(c, try);
}

/* ---- both ---- */

static void show_file(const char *name, const struct file *f)
{
	note("%s: mode %o, %u:%u, flags %x, acl group %o", name, f->mode, f->uid, f->gid, f->flags,
	     f->acl_group);
	for (size_t i = 0; i < f->n_acl; i++)
		note("  %s %u: %o", f->acl[i].kind == IDM_UID ? "user" : "group", f->acl[i].id,
		     f->acl[i].permissions);
}

static void show_map(const char *name, const struct idm_map *map)
{
	char *text = map ? map_text(map, IDM_FORMAT_TEXT, IDM_BOTH) : NULL;

	note("%s: %s", name, text ? text : "none");
	free(text);
}

static void show_case(const struct random_case *c)
{
	const struct process *p = &c->process;

	note("%s, attr %x, read-only %d", c->fs->path, c->attr, c->fs_readonly);
	show_file("file", &c->file);
	show_file("directory", &c->directory);
	show_file("victim", &c->victim);
	show_map("mount", c->mount_map);
	show_map("filesystem", c->fs->ns->map);
	show_map("process", p->ns->map);
	note("process %u:%u, capabilities %llx, new owner %u:%u", p->uid, p->gid,
	     (unsigned long long)p->capabilities, c->new_uid, c->new_gid);
	for (size_t i = 0; i < p->n_groups; i++)
		note("  group %u", p->groups[i]);
}

struct counts {
	unsigned long verdicts, cured, allowed;
	unsigned int by_rule[IDM_RULE_CHANGE_GROUP + 1];
	unsigned long ownerless;
	struct answers *answers; /* shared with the process that tries */
};

/* An overlay has no map. The library has to find out that an inode has no owner. */
static void compare_owner(const struct random_case *c, const struct file *file,
			  const struct collected *collected, struct counts *counts)
{
	struct file shown = show_file_in(c, file);

	if (!c->fs->layered || !collected->is_certain)
		return;
	counts->ownerless += shown.uid == IDM_EXPLAIN_NO_ID || shown.gid == IDM_EXPLAIN_NO_ID;
	if (shown.uid == collected->uid && shown.gid == collected->gid)
		return;
	show_case(c);
	fail_msg("collected: %u:%u, expected: %u:%u", collected->uid, collected->gid, shown.uid,
		 shown.gid);
}

static void compare(const struct random_case *c, struct counts *counts)
{
	const struct answers *answers = counts->answers;

	make_files(c);
	ask_kernel(c, counts->answers);
	remove_files();
	compare_owner(c, &c->file, &answers->files[COLLECTED_FILE], counts);
	compare_owner(c, &c->directory, &answers->files[COLLECTED_DIRECTORY], counts);
	compare_owner(c, &c->victim, &answers->files[COLLECTED_VICTIM], counts);
	for (int try = 0; try < TRIES; try++) {
		struct idm_explain_result result = predict(c, try);

		counts->verdicts++;
		counts->by_rule[result.rule]++;
		if (result.errnum == answers->codes[try] && !result.errnum == !result.rule)
			continue;
		show_case(c);
		fail_msg("%s: the kernel: %s, the library: %s (rule %d)", try_names[try],
			 strerror(answers->codes[try]), strerror(result.errnum), (int)result.rule);
	}
}

/* ---- cures ---- */

static bool is_same_refusal(const struct idm_explain_result *a, const struct idm_explain_result *b)
{
	return a->rule == b->rule && a->on_directory == b->on_directory && a->missing == b->missing &&
	       a->entry == b->entry && a->entry_id == b->entry_id && a->capability == b->capability &&
	       a->capable == b->capable;
}

/* Returns whether something has been changed. The kernel agrees with each verdict afterwards. */
static bool cure_and_compare(struct rng *rng, struct random_case *c, int try, struct counts *counts)
{
	struct idm_explain_result before = explain(c, try), after;

	if (!before.rule || !cure(rng, c, subject_of(c, try, before.on_directory), &before))
		return false;
	counts->cured++;
	after = explain(c, try);
	if (is_same_refusal(&before, &after)) {
		show_case(c);
		fail_msg("%s: rule %d refuses it still", try_names[try], (int)before.rule);
	}
	compare(c, counts);
	return true;
}

/* Several rules can refuse. Each that is named is cured, until the kernel allows it. */
static void cure_all(struct rng *rng, struct random_case *c, struct counts *counts)
{
	int try = (int)rng_below(rng, TRIES);
	bool refused = predict(c, try).rule;

	for (int n = 0; n < RULES_MOST && cure_and_compare(rng, c, try, counts); n++)
		;
	counts->allowed += refused && !counts->answers->codes[try];
}

/* ---- the test ---- */

static void try_cases(const struct filesystem *filesystems, uint32_t n_filesystems,
		      const struct namespace *namespaces, uint32_t n_namespaces, struct counts *counts)
{
	struct rng rng = rng_new(41);

	for (int i = 0; i < CASES; i++) {
		const struct filesystem *fs = &filesystems[rng_below(&rng, n_filesystems)];
		struct random_case c = new_case(
			&rng, fs, one_in(&rng, 3) ? fs->ns : &namespaces[rng_below(&rng, n_namespaces)]);

		compare(&c, counts);
		cure_all(&rng, &c, counts);
		idm_map_free(c.mount_map);
	}
}

static void report(const struct counts *counts)
{
	proof("verdicts", counts->verdicts, "verdicts of idm_explain() beside the kernel's");
	proof("verdicts", counts->ownerless, "files of overlays, left out by a layer's map");
	proof("verdicts", counts->cured, "refused cases, cured by what the verdict names");
	proof("verdicts", counts->allowed, "refused accesses that work when each named rule is cured");
	assert_true(counts->allowed > counts->cured / 4);
	for (size_t rule = 0; rule < ARRAY_SIZE(counts->by_rule); rule++)
		if (!counts->by_rule[rule])
			fail_msg("rule %zu has never refused anything", rule);
}

TEST_AS(the_verdict_is_the_kernels, 300, 6, 3, tmpfs_is_not_mapped)
{
	struct rng rng = rng_new(40);
	struct namespace namespaces[8];
	const struct filesystem filesystems[] = {
		{ SCRATCH "/tmpfs", &namespaces[0], false, NULL },
		{ SCRATCH "/ext4", &namespaces[0], false, NULL },
		{ SCRATCH "/inside", &namespaces[1], false, NULL },
		{ SCRATCH "/layer", &namespaces[0], true, &namespaces[0] },
		{ SCRATCH "/layer-inside", &namespaces[1], true, &namespaces[0] }
	};
	struct counts counts = { 0 };

	scratch_enter();
	umask(0);
	counts.answers = mmap(NULL, sizeof(*counts.answers), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	make_namespaces(&rng, namespaces, ARRAY_SIZE(namespaces));
	make_filesystems(filesystems);
	try_cases(filesystems, ARRAY_SIZE(filesystems), namespaces, ARRAY_SIZE(namespaces), &counts);
	report(&counts);
	for (size_t i = 1; i < ARRAY_SIZE(namespaces); i++)
		free_namespace(&namespaces[i]);
	munmap(counts.answers, sizeof(*counts.answers));
}
