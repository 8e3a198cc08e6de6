/* SPDX-License-Identifier: MIT */
/* The process of which an access is explained, and other credentials for it. */
#ifndef IDM_CLI_EXPLAIN_SUBJECT_H
#define IDM_CLI_EXPLAIN_SUBJECT_H

#include "idmount.h"

/* Options first; the rest is filled in by prepare_subject(). */
struct subject {
	pid_t pid;	       /* --pid; 0: the caller */
	const char *container; /* --container */
	const char *user;      /* --user; NULL: the credentials of the process */
	pid_t userns_pid;      /* --userns; 0: the user namespace of the process */

	uint32_t uid, gid; /* inside the user namespace */
	uint32_t *groups;
	size_t n_groups;
	struct idm_map *userns_map; /* --userns; NULL: the caller's */
	int container_pidfd;	    /* --container; 0: none */
	bool is_podmans;	    /* --container: podman knows it */
	bool is_dockers;	    /* the same of docker */
};

/*
 * Reads a decimal number below 4294967295 that ends at `end` or at the end of the text. Sets *rest
 * behind it.
 */
bool parse_id_until(const char *text, char end, uint32_t *id, const char **rest);

/* Of an option. Returns DONE, or USAGE with the error reported. */
int parse_process_number(const char *option, const char *text, pid_t *pid);

/* Checks the options, and finds container and user. Returns DONE, or reports. */
int prepare_subject(struct subject *s);
void free_subject(struct subject *s);

/* Afterwards: whether `pid` was that of the container all the time. Returns DONE, or reports. */
int check_container_alive(const struct subject *s);

/*
 * Those of a program that the user, by the number inside, starts there. In a user namespace that it
 * joins, a process has all.
 */
uint64_t user_capabilities(const struct subject *s, const struct idm_explain_info *place, uint32_t uid);

/* Puts the credentials into the facts, and notes in *unseen what that hides. 0, or -errno with the
 * error. */
int add_subject(const struct subject *s, const struct idm_explain_info *place,
		struct idm_explain_options *facts, uint32_t *unseen, struct idm_error *err);

/*
 * Whether the process is in the user namespace that mounted the filesystem, or in one below. True too if
 * that is not visible.
 */
bool is_in_fs_userns(const struct subject *s, const struct idm_explain_info *place);

/* ---- container.c ---- */

/* Asks the engines that are installed for the first process of a container. Returns DONE with its pidfd,
 * or reports. */
int find_container(struct subject *s);

/* ---- podman.c ---- */

/* Whether the process is in a container of root's podman: by --container, or by its control group. */
bool is_in_podman(const struct subject *s);

/* The same of a rootless container that the caller made. */
bool is_in_own_podman(const struct subject *s);

/* Whether the runtime of that container is runc, by name or path. */
bool has_podman_runc(const struct subject *s);

/* Whether podman chose the IDs of that container, by --userns=auto. A new container gets others. */
bool has_automatic_userns(const struct subject *s);

/* Whether root made the container's user namespace. Others get only maps of the IDs that it has. */
bool is_container_of_root(pid_t pid);

/* Whether the caller, an ordinary user, made it. "podman unshare" is root of it, or of the one around
 * it. */
bool is_rootless_container(pid_t pid);

/*
 * Writes what a volume at `destination` is made of: a directory of the host, or a name. "SOURCE": not
 * known.
 */
void find_podman_source(const struct subject *s, const char *destination, char *source, size_t size);

#endif
