/* SPDX-License-Identifier: MIT */
/*
 * The collectors of facts: facts-process.c, facts-lsm.c, facts-protection.c, facts-mount.c,
 * facts-fs-userns.c, facts-inode.c and facts-acl.c. facts-way.c walks to the path, and explain-path.c
 * hands the facts of each place to the caller. They change nothing: files are opened with O_PATH only.
 */
#ifndef IDM_EXPLAIN_FACTS_H
#define IDM_EXPLAIN_FACTS_H

#include "idmount.h"
#include "lib/list/internal.h"

#define AUTO_MAP __attribute__((cleanup(idm_map_freep)))

/* ---- fail-look.c ---- */

/* Fails because the caller does not reach the file. `fd` is on its filesystem. Returns `code`. */
int idm_fail_to_look(struct idm_error *err, int code, const char *path, int fd);

/* ---- facts-process.c ---- */

/* All IDs are those of the caller's user namespace. */
struct idm_process_facts {
	int root_fd;
	int cwd_fd;
	int mount_ns_fd; /* -1: the caller's namespace */
	int userns_fd;	 /* -1: the initial one, or not visible */
	struct idm_mount_ns mount_ns;
	uint32_t euid; /* it decides about the ownership of user namespaces */
	uint32_t fsuid, fsgid;
	uint32_t *groups;
	size_t n_groups;
	uint64_t capabilities, bounding_set;
	struct idm_map *userns_map;	     /* NULL: the initial one */
	bool is_initial;		     /* it is in the initial user namespace */
	bool caller_is_initial;		     /* the caller is in it */
	uint32_t overflow_uid, overflow_gid; /* shown for IDs that the caller's user namespace lacks */
	uint32_t protected_symlinks, protected_regular, protected_fifos; /* of the machine */
	bool protection_unseen;		     /* those are not readable */
	uint32_t unseen;		     /* IDM_UNSEEN_* */
};

/* `pid` 0 is the calling thread. Call idm_release_process() whatever came back. */
int idm_collect_process(pid_t pid, struct idm_process_facts *process, struct idm_error *err);
void idm_release_process(struct idm_process_facts *process);

/* ---- facts-protection.c ---- */

void idm_collect_protection(struct idm_process_facts *process);

/* Whether these sysctls can decide about links or files in the directory. */
bool idm_is_protected_directory(const struct idm_explain_inode *directory);

/* ---- own-id-map.c ---- */

/* The IDs of the caller's user namespace, each for itself. The caller frees *map whatever came back. */
int idm_collect_own_ids(struct idm_map **map, struct idm_error *err);

/* Whether an ID outside is not one of `own`, which has each for itself. */
bool idm_has_outside_ids(const struct idm_map *map, const struct idm_map *own);

/* ---- facts-lsm.c ---- */

/* `label_fd` is attr/current of the process in /proc, or negative: it cannot be opened. */
bool idm_is_confined(int label_fd);

/* ---- facts-mount.c ---- */

struct idm_mount_facts {
	const struct idm_mount_info *info; /* NULL: the caller does not see it */
	const struct idm_map *map;	   /* NULL: none, or no memory */
	struct idm_map *visible;	   /* the same; entries may be missing, and are added */
	uint32_t attr;
	uint32_t unseen;
	bool fs_readonly;
	bool mapped;		      /* it has a map */
	const struct idm_map *fs_map; /* of idm_collect_fs_userns() */
};

/*
 * Calls `each` once, with the mount that `fd` is on. Returns what that returned. Where the caller may
 * not see the mount, the facts are fewer.
 */
int idm_collect_mount(const struct idm_process_facts *process, int fd,
		      int (*each)(const struct idm_mount_facts *mount, void *data), void *data);

/* ---- facts-fs-userns.c ---- */

struct idm_fs_facts {
	struct idm_map
		*map; /* of the user namespace that mounted it; NULL: the initial one, or unseen */
	uint64_t capabilities; /* of the process, in there */
	int userns_fd;	       /* -1: the initial one, or unseen */
	uint32_t unseen;
};

/*
 * `overlay` is a directory on the mount of `fd`, if that is an overlay; else -1. Call
 * idm_release_fs_userns() whatever came back. Returns 0 or -ENOMEM.
 */
int idm_collect_fs_userns(const struct idm_process_facts *process, int fd, int overlay,
			  struct idm_fs_facts *facts);
void idm_release_fs_userns(struct idm_fs_facts *facts);

/* Whether the initial user namespace owns the process's mount namespace. */
bool idm_is_in_initial_mounts(const struct idm_process_facts *process);

/* A detached copy of the mount, which is in the process's mount namespace. As idm_probe_clone(). */
int idm_copy_mount(const struct idm_process_facts *process, int fd, bool unmapped);

/* ---- ask-superblock.c ---- */

bool idm_is_callers_userns(int userns_fd);

/*
 * Returns 1: the user namespace mounted the filesystem of the directory, or one below it did; 0:
 * neither; or -errno: not known.
 */
int idm_ask_superblock(const struct idm_process_facts *process, int directory, int userns_fd);

/* ---- facts-acl.c ---- */

/* Of XATTR_SIZE_MAX. A filesystem that keeps the list in one block of 4 KiB has about 500. */
#define IDM_ACL_MOST 8191

struct idm_acl_facts {
	struct idm_acl_entry entries[IDM_ACL_MOST]; /* with the IDs that the mount shows */
	size_t n;
	uint32_t group; /* the permissions of the owning group */
};

/* Returns 1, 0: the file has no list, or -errno: it cannot be read. */
int idm_collect_acl(int fd, struct idm_acl_facts *acl);

/* The same with the capabilities that the file has for a program. The place has none before. */
int idm_collect_file_capabilities(int fd, struct idm_explain_info *place);

/* ---- facts-inode.c ---- */

struct idm_inode_facts {
	struct idm_explain_inode inode;
	struct idm_acl_facts acl;
	uint32_t unseen;
};

int idm_collect_inode(const struct idm_process_facts *process, const struct idm_mount_facts *mount,
		      int fd, struct idm_inode_facts *facts);

/* ---- facts-way.c ---- */

struct idm_way_place {
	int fd;	       /* O_PATH */
	int parent_fd; /* -1: the last component is no name */
	const char *path;
	bool is_last;
	bool is_link;	    /* a symbolic link that is followed */
	bool is_at_the_end; /* is_link: it is the last component of the path, or of such a link's text */
};

struct idm_way {
	const struct idm_process_facts *process;
	bool nofollow;
	/* Called for each directory on the way, each link, and for the path itself. Not 0 stops. */
	int (*each)(const struct idm_way_place *place, void *data);
	void *data;
	struct idm_error *err;
};

int idm_walk_way(const struct idm_way *way, const char *path);

#endif
