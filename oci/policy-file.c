// SPDX-License-Identifier: MIT
/* Root's rules for annotations, as they are on disk. */
#include "policy-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "lib/base/error.h"
#include "lib/base/read-file.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_read = IDM_STEP_READ_POLICY;

#define MOST_RULES (1 << 20) /* in bytes */

/* In a user namespace without the host's root its files are the overflow user's. */
static bool is_roots(const struct stat *st)
{
	return st->st_uid == 0 || (!idm_in_initial_userns() &&
				   (long)st->st_uid == idm_read_number("/proc/sys/kernel/overflowuid"));
}

static int check_policy_owner(int fd, const char *name, struct idm_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return idm_fail_errno(err, -errno, step_read, name);
	if (!is_roots(&st))
		return idm_fail(err, -EPERM, step_read, name, "expected root as its owner, got user %u",
				st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return idm_fail(err, -EPERM, step_read, name,
				"expected a mode that lets only root write, got %03o",
				st.st_mode & 0777);
	return 0;
}

/* With O_DIRECTORY a symbolic link is reported as ENOTDIR, not as ELOOP. */
static bool is_policy_link(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

static int diagnose_not_opened(int code, int dirfd, const char *name, const char *path,
			       struct idm_error *err)
{
	return idm_fail_because(err, code, step_read, path,
				is_policy_link(dirfd, name) ? "it is a symbolic link" : NULL);
}

/* Returns a descriptor, -ENOENT without a message, or another -errno. */
static int open_owned(int dirfd, const char *name, const char *path, int flags, struct idm_error *err)
{
	int fd = openat(dirfd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), r;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return diagnose_not_opened(-errno, dirfd, name, path, err);
	r = check_policy_owner(fd, path, err);
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* A rule for a path with a symbolic link in it would never match. */
static int check_sources(const struct idm_policy *policy, struct idm_error *err)
{
	for (size_t i = 0; i < policy->n; i++) {
		const struct idm_policy_rule *rule = &policy->rules[i];
		int fd = !rule->source || !*rule->source
				 ? -ENOENT
				 : idm_sys_openat2(AT_FDCWD, rule->source, O_PATH, 0,
						   RESOLVE_NO_SYMLINKS);

		if (fd >= 0)
			close(fd);
		if (fd == -ELOOP)
			return idm_fail(
				err, -ELOOP, step_read, IDM_POLICY_FILE,
				"line %u: source: %s contains a symbolic link; name its destination",
				rule->line, rule->source);
	}
	return 0;
}

static int parse_policy_file(int fd, struct idm_policy **policy, struct idm_error *err)
{
	char *text = NULL;
	size_t length;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return idm_fail_errno(err, -errno, step_read, IDM_POLICY_FILE);
	if (!S_ISREG(st.st_mode))
		return idm_fail(err, -EINVAL, step_read, IDM_POLICY_FILE, "expected a regular file");
	if (st.st_size > MOST_RULES)
		return idm_fail(err, -EFBIG, step_read, IDM_POLICY_FILE, "expected at most 1 MiB");
	r = idm_read_file(fd, MOST_RULES, &text, &length);
	if (r < 0)
		idm_fail_errno(err, r, step_read, IDM_POLICY_FILE);
	else
		r = idm_policy_parse(text, length, policy, err);
	free(text);
	if (r < 0)
		return r;
	r = check_sources(*policy, err);
	if (r < 0) {
		idm_policy_free(*policy);
		*policy = NULL;
	}
	return r;
}

int read_policy(struct idm_policy **policy, struct idm_error *err)
{
	int directory, fd, r;

	*policy = NULL;
	directory = open_owned(AT_FDCWD, IDM_POLICY_DIRECTORY, IDM_POLICY_DIRECTORY,
			       O_RDONLY | O_DIRECTORY, err);
	if (directory < 0)
		return directory == -ENOENT ? 0 : directory;
	fd = open_owned(directory, IDM_POLICY_NAME, IDM_POLICY_FILE, O_RDONLY, err);
	close(directory);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = parse_policy_file(fd, policy, err);
	close(fd);
	return r;
}

int judge_annotations(const struct idm_oci *oci, struct idm_error *err)
{
	struct idm_policy *policy;
	int r;

	/* A user of a rootless engine could run another hook, so rules bind only the authors of pods. */
	if (!oci->annotation || (!oci->pod && is_rootless_engine()))
		return 0;
	r = read_policy(&policy, err);
	if (r < 0)
		return r;
	r = idm_oci_judge(oci, policy, err);
	idm_policy_free(policy);
	return r;
}
