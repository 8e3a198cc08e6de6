// SPDX-License-Identifier: MIT
/* idm_explain(): checks the facts, and lets the checks of the kernel decide. No system call is made. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"

static const enum idm_error_step step_explain = IDM_STEP_EXPLAIN;

/* ---- the facts ---- */

static int check_acl(const struct idm_explain_inode *inode, struct idm_error *err)
{
	if ((inode->n_acl || inode->acl_group) && !(inode->flags & IDM_INODE_ACL))
		return idm_fail(err, -EINVAL, step_explain, NULL, "expected IDM_INODE_ACL with an ACL");
	if (inode->n_acl && !inode->acl)
		return idm_fail(err, -EINVAL, step_explain, NULL, "expected %zu ACL entries, got NULL",
				inode->n_acl);
	for (size_t i = 0; i < inode->n_acl; i++)
		if (inode->acl[i].kind != IDM_UID && inode->acl[i].kind != IDM_GID)
			return idm_fail(err, -EINVAL, step_explain, NULL,
					"acl[%zu]: expected IDM_UID or IDM_GID, got 0x%x", i,
					inode->acl[i].kind);
	return 0;
}

static int copy_inode(struct idm_explain_inode *own, const struct idm_explain_inode *inode,
		      struct idm_error *err)
{
	const unsigned int known = IDM_INODE_IMMUTABLE | IDM_INODE_APPEND | IDM_INODE_ACL;
	int r;

	*own = (struct idm_explain_inode)IDM_EXPLAIN_INODE_INIT;
	r = IDM_COPY_STRUCT(own, n_acl, inode, step_explain, err);
	if (r == 0)
		r = idm_check_flags(own->flags, known, step_explain, NULL, err);
	return r < 0 ? r : check_acl(own, err);
}

static int check_process(const struct idm_explain_options *facts, struct idm_error *err)
{
	if (facts->fsuid == IDM_EXPLAIN_NO_ID || facts->fsgid == IDM_EXPLAIN_NO_ID)
		return idm_fail(err, -EINVAL, step_explain, NULL,
				"4294967295 is not an ID of a process");
	if (facts->n_groups && !facts->groups)
		return idm_fail(err, -EINVAL, step_explain, NULL, "expected %zu groups, got NULL",
				facts->n_groups);
	return 0;
}

static bool requires_directory(enum idm_access access)
{
	return access == IDM_ACCESS_UNLINK || access == IDM_ACCESS_FOLLOW ||
	       access == IDM_ACCESS_OVERWRITE;
}

static int check_types(const struct idm_explain_options *facts, const struct idm_judge *judge,
		       struct idm_error *err)
{
	uint32_t mode = judge->inode.inode->mode;

	if (requires_directory(facts->access) && !S_ISDIR(judge->directory.inode->mode))
		return idm_fail(err, -EINVAL, step_explain, NULL,
				"expected a directory that the file is in");
	if (facts->access == IDM_ACCESS_CREATE && !S_ISDIR(mode))
		return idm_fail(err, -EINVAL, step_explain, NULL, "expected a directory to create in");
	if (facts->access == IDM_ACCESS_FOLLOW && !S_ISLNK(mode))
		return idm_fail(err, -EINVAL, step_explain, NULL, "expected a symbolic link");
	if (facts->access == IDM_ACCESS_OVERWRITE && S_ISDIR(mode))
		return idm_fail(err, -EINVAL, step_explain, NULL, "expected a file, got a directory");
	if (facts->access != IDM_ACCESS_UNLINK && facts->access != IDM_ACCESS_FOLLOW && S_ISLNK(mode))
		return idm_fail(err, -EINVAL, step_explain, NULL,
				"expected the destination of a symbolic link, got the link");
	return 0;
}

/* ---- the verdict ---- */

static struct idm_seen_inode show_inode(const struct idm_explain_options *facts,
					const struct idm_explain_inode *inode, bool is_parent)
{
	return (struct idm_seen_inode){ .inode = inode,
					.uid = idm_show_id(facts, IDM_UID, inode->uid),
					.gid = idm_show_id(facts, IDM_GID, inode->gid),
					.is_parent = is_parent };
}

static int judge_access(struct idm_judge *judge)
{
	switch (judge->facts->access) {
	case IDM_ACCESS_READ:
		return idm_check_open(judge, IDM_MAY_READ);
	case IDM_ACCESS_WRITE:
		return idm_check_open(judge, IDM_MAY_WRITE);
	case IDM_ACCESS_EXECUTE:
		return idm_check_execute(judge);
	case IDM_ACCESS_CREATE:
		return idm_check_create(judge);
	case IDM_ACCESS_UNLINK:
		return idm_check_unlink(judge);
	case IDM_ACCESS_CHMOD:
		return idm_check_chmod(judge);
	case IDM_ACCESS_CHOWN:
		return idm_check_chown(judge);
	case IDM_ACCESS_FOLLOW:
		return idm_check_follow(judge);
	case IDM_ACCESS_OVERWRITE:
		return idm_check_overwrite(judge);
	}
	return 0;
}

/* Only a refusal for a lack of permission lacks bits. */
static void judge_facts(struct idm_judge *judge)
{
	struct idm_explain_result *result = judge->result;

	result->uid = judge->inode.uid;
	result->gid = judge->inode.gid;
	judge_access(judge);
	if (result->rule != IDM_RULE_PERMISSION)
		result->missing = 0;
}

static int explain_copied(const struct idm_explain_options *facts, struct idm_explain_result *result,
			  struct idm_error *err)
{
	struct idm_explain_inode inode, directory = IDM_EXPLAIN_INODE_INIT;
	struct idm_judge judge = { .facts = facts, .result = result };
	int r;

	if (facts->access < IDM_ACCESS_READ || facts->access > IDM_ACCESS_OVERWRITE)
		return idm_fail(err, -EINVAL, step_explain, NULL, "unknown access %d",
				(int)facts->access);
	if (!facts->inode || (requires_directory(facts->access) && !facts->directory))
		return idm_fail(err, -EINVAL, step_explain, NULL, "expected %s, got NULL",
				facts->inode ? "directory" : "inode");
	r = check_process(facts, err);
	if (r == 0)
		r = copy_inode(&inode, facts->inode, err);
	if (r == 0 && requires_directory(facts->access))
		r = copy_inode(&directory, facts->directory, err);
	if (r < 0)
		return r;
	judge.inode = show_inode(facts, &inode, false);
	judge.directory = show_inode(facts, &directory, true);
	r = check_types(facts, &judge, err);
	if (r == 0)
		judge_facts(&judge);
	return r;
}

int idm_explain(const struct idm_explain_options *facts, struct idm_explain_result *result,
		struct idm_error *err)
{
	struct idm_explain_options own = IDM_EXPLAIN_OPTIONS_INIT;
	struct idm_explain_result verdict = IDM_EXPLAIN_RESULT_INIT;
	size_t size = result->size;
	int r = IDM_COPY_STRUCT(&own, fs_readonly, facts, step_explain, err);

	if (r == 0)
		r = IDM_COPY_STRUCT(&verdict, capable, result, step_explain, err);
	if (r < 0)
		return r;
	verdict = (struct idm_explain_result)IDM_EXPLAIN_RESULT_INIT;
	r = explain_copied(&own, &verdict, err);
	if (r < 0)
		return r;
	verdict.size = size;
	memcpy(result, &verdict, size < sizeof(verdict) ? size : sizeof(verdict));
	return 0;
}

void idm_explain_copy(const struct idm_explain_options *facts, struct idm_explain_options *copy)
{
	size_t size = copy->size;

	memcpy(copy, facts, size < facts->size ? size : facts->size);
	copy->size = size;
}
