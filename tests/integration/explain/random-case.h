/* SPDX-License-Identifier: MIT */
/*
 * Random files, mounts and processes, for explain-random.c. random-case.c makes them up. random-kernel.c
 * creates them, and lets a process try them. random-cure.c changes what a verdict names.
 */
#ifndef IDM_TESTS_RANDOM_CASE_H
#define IDM_TESTS_RANDOM_CASE_H

#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"

/* ---- random-case.c ---- */

#define INSIDE 6 /* 0 to 5: the IDs of a user namespace */

bool one_in(struct rng *rng, uint32_t n);

struct namespace
{
	int fd;		     /* -1: the initial one */
	struct idm_map *map; /* inside to the initial one; NULL: the initial one */
};

/* Runs `body` in a process that shares only the descriptors: it may leave one here. */
int open_elsewhere(int (*body)(void *), void *arg);
void join_as_root(const struct namespace *ns);
void make_namespaces(struct rng *rng, struct namespace *namespaces, size_t n);
void free_namespace(struct namespace *ns);

struct filesystem {
	const char *path;
	const struct namespace *ns;	  /* that has mounted it */
	bool layered;			  /* the files are in the lower layer of an overlay */
	const struct namespace *layer_ns; /* that has mounted the filesystem of the layer */
};

#define NAMED 3

struct file {
	uint32_t mode, uid, gid, flags, acl_group;
	struct idm_acl_entry acl[NAMED];
	size_t n_acl;
};

struct process {
	const struct namespace *ns;
	uint32_t uid, gid, groups[2]; /* inside */
	size_t n_groups;
	uint64_t capabilities;
};

struct random_case {
	const struct filesystem *fs;
	struct file file, directory, victim;
	struct idm_map *mount_map; /* NULL: none */
	uint32_t attr;
	bool fs_readonly;
	struct process process;
	uint32_t new_uid, new_gid;
};

struct random_case new_case(struct rng *rng, const struct filesystem *fs, const struct namespace *ns);

/* The ID that a number of the process has outside of its user namespace. */
uint32_t to_outside(const struct process *p, unsigned int kind, uint32_t id);

/* ---- random-kernel.c ---- */

enum {
	FILE_READ,
	FILE_WRITE,
	FILE_EXECUTE,
	FILE_CHMOD,
	DIRECTORY_READ,
	DIRECTORY_WRITE,
	DIRECTORY_EXECUTE,
	DIRECTORY_CHMOD,
	CREATE,
	UNLINK,
	FILE_CHOWN,
	DIRECTORY_CHOWN,
	TRIES
};

/* What idm_explain_path() collects about a file. */
struct collected {
	uint32_t uid, gid;
	bool is_certain; /* not IDM_UNSEEN_OWNER */
};

enum { COLLECTED_FILE, COLLECTED_DIRECTORY, COLLECTED_VICTIM, COLLECTED_FILES };

struct answers {
	int codes[TRIES]; /* errno or 0 */
	struct collected files[COLLECTED_FILES];
};

#define UPPER SCRATCH "/upper"

/* The fifth is an overlay that is mounted in a user namespace. */
void make_filesystems(const struct filesystem filesystems[5]);
void make_files(const struct random_case *c);
void remove_files(void);

/* `answers` are shared with the process that collects, and then tries. */
void ask_kernel(const struct random_case *c, struct answers *answers);

/* ---- random-cure.c ---- */

/* The file that the rule is about. */
struct file *subject_of(struct random_case *c, int try, bool on_directory);

/* Changes what the result names. False: there is no simple cure. */
bool cure(struct rng *rng, struct random_case *c, struct file *file,
	  const struct idm_explain_result *result);

#endif
