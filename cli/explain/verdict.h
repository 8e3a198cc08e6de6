/* SPDX-License-Identifier: MIT */
/* A verdict of idm_explain() in words, and the command that cures a refusal. */
#ifndef IDM_CLI_EXPLAIN_VERDICT_H
#define IDM_CLI_EXPLAIN_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "layer-mounters.h"
#include "subject.h"

#define VERDICT_TEXT 512

/* Copies of an overlay to its upper layer. */
struct layer_copy {
	int errnum; /* of the copy of the file, or of a directory on the way; 0: it is possible */
	const char *reason;
	const char *parent_reason;
	int parent_errnum; /* of any copy to the last directory on the way that is in the upper layer */
	bool may_lack_owner; /* one of those that would be copied */
};

struct verdict {
	const struct idm_explain_info *place; /* of which the facts are */
	const char *path;
	struct idm_explain_options facts; /* those of the place, with the access */
	struct idm_explain_result result; /* errnum is 0 if the access is allowed */
	const char *reason;		  /* of a refusal without a rule; NULL: a rule refuses */
	bool is_unknown;		  /* a fact that is not visible may allow what is refused */
	const char *doubt;		  /* is_unknown: which one, after "unless" */
	int other_errnum;		  /* refused too, with a fact that is not visible; or 0 */
	const char *other_case;		  /* other_errnum: which one, after "if" */
	int overwrite_errnum;		  /* IDM_ACCESS_WRITE: a rule about O_CREAT refuses that; or 0 */
	bool has_certain_owner;		  /* the layer of an overlay has told it */
	const struct subject *subject;
	bool is_exposed;       /* another user can replace a name on the way, or the file */
	bool is_mount_exposed; /* the same on the way to the mount point of its mount */
	unsigned int accesses; /* 1 << IDM_ACCESS_*: a cure for a permission cures these refusals, too */
	char layer_reason[VERDICT_TEXT];	 /* `reason`, if a layer of an overlay refuses */
	bool is_refused_in_layer;		 /* `reason`: to the process that mounted the overlay */
	char other_reason[VERDICT_TEXT];	 /* `reason`, if it has a number or a name in it */
	struct layer_copy copies[MOUNTERS_MOST]; /* by judge_layer(), for each of its mounters */
	bool is_new_name;			 /* IDM_ACCESS_EXECUTE: of a name that no layer has */
};

const char *access_word(enum idm_access access, bool is_directory);

/*
 * Whether the ID stands for those without a number in the caller's user namespace. In the initial one
 * each ID has a number.
 */
bool is_hidden_id(uint32_t id);

/* "regular file", for example. */
const char *type_word(uint32_t mode);

/* "rw", for example. `bits` are 4 to read, 2 to write, 1 to execute. */
void write_bits(unsigned int bits, char text[4]);

/* The file, or the directory that it is in: the one that the result is about. */
const struct idm_explain_inode *refusing_inode(const struct verdict *v);

/* Why the file has no owner on this mount, up to its name: "the mount does not map". */
const char *lost_owner_text(const struct verdict *v);

/* Whether the owner that is shown can stand for none: 65534, which the kernel shows for both. */
bool may_lack_owner(const struct verdict *v);

/* Whether the entry is that of a user or group (`kind`), by the ID that the mount shows. */
bool is_acl_entry_of(const struct verdict *v, const struct idm_acl_entry *e, uint32_t kind, uint32_t id);

/*
 * If facts fit several owners, judges each of them. Makes the verdict unknown, or notes another errno.
 */
void doubt_owner(struct verdict *v);

/* Judges the facts. Fills in result, reason and is_unknown. Returns 0, or -errno with the error. */
int fill_in_verdict(struct verdict *v, struct idm_error *err);

/* Refuses an access for a reason that is no rule of the library. */
void refuse_for_reason(struct verdict *v, int errnum, const char *reason);

/* Whether the kernel refuses the open(2) by which a shell's > writes to the file, and why. */
const char *overwrite_text(const struct verdict *v);

/* ---- busy.c ---- */

/* Refuses to write to a program that runs, and to remove a swap file. */
void refuse_busy_file(struct verdict *v);

/* ---- removed-directory.c ---- */

/* Refuses to create a file in a directory that has been removed. */
void refuse_removed_directory(struct verdict *v);

/* ---- server.c ---- */

/* Refuses what a FUSE filesystem refuses to other users, and doubts what its server decides. */
void doubt_server(struct verdict *v);

/* Writes why the access is refused. */
void describe_refusal(const struct verdict *v, char *text, size_t size);

/*
 * Writes the smallest change that removes the rule, as a command of a shell. False: one command is not
 * enough, or the facts for it are not known. chmod(1) and setfacl(1) change the permissions of one
 * user. Other commands change a mount or a flag of a file, for all users.
 */
bool describe_cure(const struct verdict *v, char *text, size_t size);

/* Writes the command that removes nosuid from the mount. False: the mount is not known. */
bool describe_suid_cure(const struct verdict *v, char *text, size_t size);

/* Whether the command of describe_cure() requires another user than the caller: root, or the owner. */
bool cure_requires_root(const struct verdict *v);

/* Whether the owner has no number in the user namespace of the process. In the initial one each has. */
bool lacks_inside_owner(const struct verdict *v);

/*
 * Writes how the file gets the process as its owner, by a map of its mount: a command or, for a
 * container, an option of its engine. False: an ID is not known, the kernel cannot map an overlay, or
 * the container is an ordinary user's.
 */
bool describe_owner_map(const struct verdict *v, char *text, size_t size);

/*
 * Whether that removes the refusal, and the line about the file does not have it: of a directory on the
 * way, or of a new file in a container whose mount has no ID on disk for the process.
 */
bool is_cured_by_owner_map(const struct verdict *v);

/*
 * Writes the option by which a rootless container of podman keeps the caller's groups. False: they do
 * not permit the access.
 */
bool describe_kept_groups(const struct verdict *v, char *text, size_t size);

/* The length of the path of the directory that the last name is in. 0: the working directory. */
size_t parent_length(const char *path);

/*
 * Whether no process can remove the path for its last name alone: "/", "." or "..". Such a name has no
 * entry in a directory. Fills in the verdict.
 */
bool refuse_last_name(const char *path, struct verdict *v);

/* Refuses a removal that only a mount point on another mount of the filesystem prevents. */
void refuse_removal_elsewhere(struct verdict *v);

bool is_covered_by_mount(const struct idm_explain_info *place);

/*
 * Calls `report` with the verdict about the removal of a mount point, once. The kernel looks at the
 * directory first. Returns what `report` returned, or -errno with the error filled in.
 */
int judge_mount_point(const struct verdict *v, int (*report)(const struct verdict *v, void *data),
		      void *data, struct idm_error *err);

/* Why an access is not known that the rules allow. */
const char *unknown_text(const struct verdict *v);

/* Returns what one bit IDM_UNSEEN_* means for the verdict. */
const char *unseen_text(uint32_t bit);

#endif
