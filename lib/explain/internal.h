/* SPDX-License-Identifier: MIT */
/* The parts of idm_explain(). They repeat the kernel's checks in the kernel's order, from facts alone.
 */
#ifndef IDM_EXPLAIN_INTERNAL_H
#define IDM_EXPLAIN_INTERNAL_H

#include "idmount.h"

/* Permissions, as in each three bits of a mode. */
#define IDM_MAY_READ 4U
#define IDM_MAY_WRITE 2U
#define IDM_MAY_EXECUTE 1U

/* An inode as the mount shows it. */
struct idm_seen_inode {
	const struct idm_explain_inode *inode;
	uint32_t uid, gid; /* IDM_EXPLAIN_NO_ID: the mount does not map it */
	bool is_parent;	   /* it is facts->directory */
};

/* What is judged, and what is found. */
struct idm_judge {
	const struct idm_explain_options *facts;
	struct idm_seen_inode inode, directory;
	struct idm_explain_result *result;
};

/* ---- show-id.c ---- */

/* How the mount shows an ID of the filesystem. IDM_EXPLAIN_NO_ID: it does not map it. */
uint32_t idm_show_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t id);

/* Whether the mount has an ID of the filesystem for one that it shows. Sets *id to it. */
bool idm_store_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t seen,
		  uint32_t *id);

/* Whether the filesystem's user namespace has the ID. */
bool idm_fs_has_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t id);

/* Whether the process's user namespace has the ID. IDM_EXPLAIN_NO_ID: no. */
bool idm_userns_has_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t id);

/* Whether the process is in the group. IDM_EXPLAIN_NO_ID: no. */
bool idm_is_in_group(const struct idm_explain_options *facts, uint32_t gid);

bool idm_process_has_capability(const struct idm_explain_options *facts, int capability);

/* Whether the capability counts for the inode. It does if the process's namespace has both IDs. */
bool idm_is_capable_of(const struct idm_explain_options *facts, const struct idm_seen_inode *seen,
		       int capability);

/* The sides (IDM_UID, IDM_GID) that the mount does not map. */
unsigned int idm_unmapped_sides(const struct idm_seen_inode *seen);

/* ---- permission.c ---- */

/* All of these return 0, or the negative errno by which the kernel refuses. The result has the rule. */

/* Notes the rule, and the inode that it is about. Returns `code`. */
int idm_refuse(struct idm_judge *judge, const struct idm_seen_inode *seen, enum idm_access_rule rule,
	       int code);

/* Notes a capability that would allow what is refused, or that allows it. */
void idm_note_capability(struct idm_judge *judge, int capability);

/* The kernel's inode_permission(). `want` is IDM_MAY_*. */
int idm_check_permission(struct idm_judge *judge, const struct idm_seen_inode *seen, unsigned int want);

/* open(2), execve(2) and access(2) of judge->inode. */
int idm_check_open(struct idm_judge *judge, unsigned int want);
int idm_check_execute(struct idm_judge *judge);

/* ---- protection.c ---- */

int idm_check_follow(struct idm_judge *judge);
int idm_check_overwrite(struct idm_judge *judge);

/* ---- change.c ---- */

int idm_check_create(struct idm_judge *judge);
int idm_check_unlink(struct idm_judge *judge);
int idm_check_chmod(struct idm_judge *judge);
int idm_check_chown(struct idm_judge *judge);

#endif
