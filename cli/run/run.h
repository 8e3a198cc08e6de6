/* SPDX-License-Identifier: MIT */
/*
 * The interface between the files of "idmount run". commands/run.c reads the command line, and bind.c
 * one of its binds. user.c finds the user as which the program runs. rootless.c lets an ordinary user be
 * root of a user namespace, whose IDs own-map.c chooses. rootfs.c makes the root filesystem, and dev.c
 * its /dev. masks.c covers parts of its /proc and /sys. exposure.c finds places where the program can
 * store files that other users can run. cgroup.c makes the container's cgroup, and remove-cgroup.c
 * removes it. size.c reads the limit of changes in memory. staging.c makes the start cheap on hosts with
 * many mounts. caps.c has the capabilities, and confine.c the other limits of the program. start.c starts
 * the program, and try.c tries for --dry-run whether it can be started. session.c serves the program until
 * it has exited. It uses signals.c for signals, and pty.c between two terminals.
 */
#ifndef IDM_CLI_RUN_RUN_H
#define IDM_CLI_RUN_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/common/exposure.h"
#include "cli/common/harden.h"
#include "cli/common/idmap-options.h"
#include "cli/common/layer-options.h"
#include "cli/common/mount-options.h"
#include "pty.h"

/* As with env(1), nohup(1) and others: failures before the program starts, or at its start. */
enum { RUN_FAILED = 125, RUN_NOT_EXECUTABLE = 126, RUN_NOT_FOUND = 127 };

/* --bind SOURCE:TARGET[:OPTIONS] */
struct run_bind {
	char *text; /* the strings below are parts of it */
	const char *source, *target;
	struct mount_options mount_options;
	struct hardening hardening;
	bool recursive, keep_rest;
	bool owner;		   /* the map names the owner of the source */
	unsigned int mapped_flags; /* IDM_TREE_REMAP or ON_TOP, for a source that is mapped already */
	bool container_map;	   /* as the root filesystem */
	struct idm_map *map;	   /* disk IDs to those of the container; NULL: none */
};

/* The user as which the program runs, in IDs of the container. */
struct run_user {
	uint32_t uid, gid;
	char home[256];
};

/* The capabilities named by --cap-add or --cap-drop. */
struct run_cap_list {
	uint64_t named;
	bool all;
};

struct run_request {
	struct map_request maps;
	bool automatic; /* -m auto, or no map at all */
	const char *rootfs;
	struct layer_list layers;
	const char *upper, *work;
	bool ephemeral, read_only, new_pid, new_net, dry_run;
	struct run_bind *binds;
	size_t n_binds;
	const char *user, *workdir, *hostname;
	const char **env;
	size_t n_env;
	enum { TTY_AUTO, TTY_YES, TTY_NO } tty;
	char **command;

	uint64_t size; /* of --ephemeral, in bytes; 0: not given */
	bool dev;      /* devices of the root filesystem can be opened */
	bool unmask, no_new_privs, disable_userns, keyrings, seccomp;
	int seccomp_fd; /* if seccomp */
	struct run_cap_list cap_add, cap_drop;
	uint64_t caps; /* the result of both: the bounding set */

	bool rootless; /* this process becomes root of a user namespace; the maps lead to its IDs then */
	bool root_mapped;	  /* and the root filesystem gets disk_map there */
	bool keeps_owners;	  /* disk_map shows every ID of the host as itself */
	struct idm_map *disk_map; /* owners on disk of an ordinary user's root filesystem; or NULL */
	bool no_setgroups;	  /* setgroups(2) has been given up there */
	uint32_t uid0, gid0;	  /* the container's root, as this process sees it */
	struct exposed exposed; /* where users inside can store files of root, or of an ordinary user */
};

#define RUN_CGROUP_PREFIX "idmount-"
#define RUN_CGROUP_DIGITS 16

/* The container's cgroup. */
struct run_cgroup {
	int parent; /* the caller's */
	int fd;	    /* -1: it is the caller's, too */
	bool made;
	char name[32];
};
#define RUN_CGROUP_NONE           \
	{                         \
		-1, -1, false, "" \
	}

/* What is made from the request. run_root_free() releases everything. */
struct run_root {
	int tree;    /* of the root filesystem */
	int userns;  /* of the container */
	int staging; /* -1: none */
	struct run_cgroup cgroup;
	bool interrupted;	       /* the program has died of Ctrl-C */
	int null;		       /* the null device, open on a read-only mount */
	int terminal, terminal_master; /* -1: none */
	struct idm_child_mount *mounts;
	size_t n_mounts;
};

/* Each returns DONE, or reports and returns another status. */
int run_parse_bind(struct run_bind *bind, const char *text);
void run_free_bind(struct run_bind *bind);

/*
 * Returns in *map the map that a bind gets, to the IDs that this process sees, or NULL. An entry that
 * leads to an ID which the container lacks is wrong usage.
 */
int run_map_of_bind(const struct run_request *q, const struct run_bind *bind, struct idm_map **map);

/* The map of the root filesystem, or NULL. */
const struct idm_map *run_map_of_root(const struct run_request *q);

/*
 * Adds nodev, and nosuid where the map that the bind gets shows another ID. The IDs of the container
 * count here.
 */
void run_harden_bind(struct run_bind *bind, const struct idm_map *map, const struct idm_map *container);
void run_report_binds(const struct run_request *q);

/*
 * Makes a cgroup if the caller's can be written. run_cgroup_free() removes it, once the container has
 * exited.
 */
int run_make_cgroup(const struct run_request *q, struct run_cgroup *cgroup);
void run_cgroup_free(struct run_cgroup *cgroup);
void run_cgroup_release(struct run_cgroup *cgroup); /* what run_root_release() may close of it */

/* Removes a cgroup that has no processes, with all below it. `cgroup` is open on it, or -1. */
void run_remove_cgroup(int parent, const char *name, int cgroup);

/* Removes the cgroups below that containers have left, whose "idmount run" was killed by SIGKILL. */
void run_remove_left_cgroups(int parent);

int run_enter_userns(struct run_request *q); /* for an ordinary user */

/* For an ordinary user: the map of the user namespace for all that follows. */
int run_choose_userns(struct run_request *q, struct idm_map **userns);

/* In it: the maps lead to its IDs from here on. */
int run_move_maps(struct run_request *q, const struct idm_map *userns);

/* Why newuidmap or newgidmap could not write the map. Returns FAILED. */
int run_report_no_map(const struct idm_map *map);

/* Opens the container's user namespace, unless it is open. */
int run_make_userns(const struct run_request *q, int *userns);

/* After the last other user namespace. From here on this process is not dumpable. */
int run_finish_userns(const struct run_request *q, int *userns);

/*
 * Opens a staging namespace if the host has many mounts. Returns -1 if it has few, or if none can be
 * opened: the result is the same without one.
 */
int run_open_staging(void);

/*
 * Replaces the root directory of an ordinary user's process by an empty one with /proc and /sys. Nothing
 * else of the host has a path afterwards. After a failure the paths stay, and the result is the same.
 */
void run_leave_host(const struct run_request *q);

/*
 * Finds out whether users reach the directories that store files for the container. The maps lead to IDs
 * of the host at that time.
 */
int run_find_exposure(struct run_request *q);

int run_make_root(struct run_request *q, struct run_root *root);
void run_root_release(struct run_root *root); /* closes all that is only for the start of the program */
void run_root_free(struct run_root *root);

int run_parse_size(struct run_request *q, const char *text);

/* The options of the tmpfs. run_size_options() returns their number. */
struct run_size_options {
	char size[32], inodes[32];
};

size_t run_size_options(const struct run_request *q, struct run_size_options *o);

/* Parses the list. `option` is named in messages. */
int run_parse_caps(struct run_cap_list *list, const char *option, char *text);

/* After the last option. */
int run_complete_caps(struct run_request *q);
struct idm_capabilities run_caps_of(const struct run_request *q, const struct run_user *user);

int run_parse_seccomp(struct run_request *q, const char *text);
int run_read_seccomp(struct run_request *q); /* q->seccomp_fd is a copy in memory from here on */
int run_check_standard_fds(void);

/* Sets all that confines the program, except capabilities. */
void run_confine(const struct run_request *q, struct idm_child_options *o);

/* Prints one line if an ID of the container is the host's root. */
void run_note_host_root(const struct run_request *q);

/* Adds the masks, unless --unmask was given. They come after /proc and /sys. */
int run_add_masks(const struct run_request *q, struct run_root *root);

bool run_is_null_device(int fd);
int run_make_dev(const struct run_request *q, struct run_root *root);

/* Adds a mount. `root` owns its tree from here on, also after a failure. */
int run_add(struct run_root *root, const struct idm_child_mount *mount);
int run_add_mount(struct run_root *root, const char *target, const char *fstype, int tree, uint32_t attr,
		  unsigned int flags);

int run_find_user(const struct run_request *q, int root_tree, struct run_user *user);

/* Starts the program, and returns its exit status. */
int run_start(const struct run_request *q, struct run_root *root, const struct run_user *user);

/* The part of --dry-run. Frees the root. */
int run_try(struct run_request *q, struct run_root *root);

/* The connection of the caller with the program, from before its start until its exit. */
struct run_session {
	bool init;	  /* the program is below one; given */
	int signals;	  /* signalfd */
	int pidfd;	  /* of the program, or of its init */
	pid_t pid;	  /* the same, until it has been waited for */
	uint64_t ignored; /* signals that the caller ignores */
	int told;	  /* a signal that has been passed on, and asks to end */
	bool interrupted; /* by Ctrl-C */
	bool died_of_it;  /* the program has died of that signal */
	struct terminal terminal;
};

/* `terminal_master` may be -1. Returns DONE, or reports and returns another status. */
int run_session_begin(struct run_session *session, int terminal_master);

/* Waits for the program; returns its exit status. */
int run_session_serve(struct run_session *session, int pidfd);

void run_session_end(struct run_session *session);

int run_signals_begin(struct run_session *session);
void run_signals_pass_on(struct run_session *session);
void run_signals_die_of(int signal);

#endif
