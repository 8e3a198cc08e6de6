/* SPDX-License-Identifier: MIT */
/*
 * What the files of the listing share: list.c selects what is listed. mount-namespaces.c finds the mount
 * namespaces. listmount.c, statmount.c and mountinfo.c read the mounts in one.
 */
#ifndef IDM_LIST_INTERNAL_H
#define IDM_LIST_INTERNAL_H

#include "idmount.h"

/*
 * The newest of the kernel's ways to be used. Programs get the newest there is; the tests go through the
 * older ones on a newer kernel.
 */
enum idm_list_level {
	IDM_LIST_MOUNTINFO = 0, /* /proc/PID/mountinfo; other namespaces found in /proc */
	IDM_LIST_STATMOUNT,	/* Linux 6.8: the caller's namespace by listmount and statmount */
	IDM_LIST_NAMESPACES,	/* Linux 6.12: other namespaces too, found by ioctl */
	IDM_LIST_NEWEST		/* sources and subtypes (Linux 6.13), maps (Linux 6.15) */
};

struct idm_mount_ns {
	uint64_t id;	 /* 0: not known */
	uint64_t inode;	 /* 0: not known */
	uint32_t mounts; /* when it was found: how many, without the one below its root */
	bool foreign;	 /* not the caller's */
};

/* One listing: what was asked for. */
struct idm_lister {
	enum idm_list_level level;
	unsigned int flags; /* IDM_LIST_* */
	int (*each)(const struct idm_mount_info *mount, void *data);
	void *data;
	struct idm_error *err;
};

/*
 * The readers return 0 to go on; anything else is what the listing returns: the callback's value, or
 * -errno with the error filled in.
 */

/* ---- list.c ---- */

int idm_list_at(enum idm_list_level level, unsigned int flags,
		int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		struct idm_error *err);
int idm_list_path_at(enum idm_list_level level, int dirfd, const char *path,
		     int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		     struct idm_error *err);

/*
 * Calls `each` for the mount with this ID in the caller's namespace, and for all mounts below, in the
 * order of mounting. Its cost does not depend on other mounts of the host. Of a mount it fills in the
 * IDs, the propagation and the target only. A mount that is gone, or outside of the caller's root
 * directory, is left out. Before Linux 6.8 it lists all
 * mounts: the callback has to look at the parents. Returns the first result of `each` that is not 0, or
 * -errno.
 */
int idm_list_below(uint64_t top, int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		   struct idm_error *err);

/* ---- mount-namespaces.c ---- */

/* The calling thread's mount namespace: 0, or -errno, and what cannot be known (no /proc) stays 0. */
int idm_mount_ns_own(struct idm_mount_ns *ns);

/* 0 if the caller may see every mount namespace there is. */
int idm_mount_ns_may_see_all(struct idm_error *err);

/*
 * All but the caller's, by their IDs; the caller frees *list. -ENOTTY, with the
 * error not filled in: before Linux 6.12.
 */
int idm_mount_ns_others(struct idm_mount_ns **list, size_t *n, struct idm_error *err);

/* A descriptor of a namespace found so, or -ENOENT if it is gone. Linux 6.12. */
int idm_mount_ns_open(uint64_t id, struct idm_error *err);

/*
 * Before Linux 6.12: calls `visit` for every other one that a process is in or has open, with a
 * descriptor that is closed afterwards. Not 0 ends it and is returned.
 */
int idm_mount_ns_walk_proc(int (*visit)(const struct idm_mount_ns *ns, int fd, void *data), void *data,
			   struct idm_error *err);

/*
 * Calls `run` in a thread that has joined the namespace, with its root. 0, or -errno if it cannot be
 * joined. The thread handles no signal, and has exited when this returns.
 */
int idm_mount_ns_join(int fd, void (*run)(void *data), void *data, struct idm_error *err);

/* ---- statmount.c ---- */

/* Whether this kernel has listmount(2) and statmount(2), and the caller may use them. */
bool idm_statmount_works(void);

/* The mount with this unique id, if it is in that namespace. Calls back at most once. */
int idm_statmount_one(const struct idm_lister *lister, const struct idm_mount_ns *ns, uint64_t id);

/*
 * The mount that `fd` is on. Calls back at most once. A mount of the kernel's own, such as that of
 * pipes, must not be asked for: Linux 7.0 uses the marker of its namespace as a pointer.
 */
int idm_statmount_by_fd(const struct idm_lister *lister, int fd);

/* ---- listmount.c ---- */

int idm_statmount_list(const struct idm_lister *lister, const struct idm_mount_ns *ns);

/* The mount with this unique ID, and all mounts below; see idm_list_below(). */
int idm_statmount_list_below(const struct idm_lister *lister, uint64_t top);

/* ---- mountinfo.c ---- */

struct idm_mountinfo;

/*
 * A mount with its groups, 0: none. The lists of mountinfo pass the member `mount` of one of these to
 * their callback.
 */
struct idm_mountinfo_mount {
	struct idm_mount_info mount;
	uint64_t peers;	 /* "shared:N": mounts on it appear on all others of that group */
	uint64_t master; /* "master:N": mounts on those of that group appear on it */
};

/*
 * The text of /proc/PID/mountinfo of the calling thread, or (fd >= 0) of a thread that has joined the
 * mount namespace fd. It is read when it is first looked into, and again when mounts have changed since.
 */
int idm_mountinfo_open(int fd, struct idm_mountinfo **info, struct idm_error *err);
void idm_mountinfo_close(struct idm_mountinfo *info);

/*
 * Fills in the mount that has this short id at this moment, except what mountinfo does not show. Its
 * strings live until the next call. Returns 1, or 0 if no mount has it, or -errno.
 */
int idm_mountinfo_find(struct idm_mountinfo *info, uint32_t id, struct idm_mountinfo_mount *mount,
		       struct idm_error *err);

int idm_mountinfo_list(const struct idm_lister *lister, const struct idm_mount_ns *ns, int fd);

/* The same from an open mountinfo of any process, as the mounts are when this begins. */
int idm_mountinfo_list_file(const struct idm_lister *lister, const struct idm_mount_ns *ns, int file);

int idm_mountinfo_one(const struct idm_lister *lister, const struct idm_mount_ns *ns, uint32_t id);

#endif
