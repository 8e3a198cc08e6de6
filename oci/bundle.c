// SPDX-License-Identifier: MIT
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config-file.h"
#include "config-rewrite.h"
#include "json-edit.h"
#include "lib/base/error.h"
#include "lib/base/escape.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"
#include "policy-file.h"

static const enum idm_error_step step_prepare = IDM_STEP_PREPARE_BUNDLE;

static int fail_errno(struct idm_error *err, const char *what)
{
	int code = -errno;

	return idm_fail(err, code, step_prepare, NULL, "%s: %s", what, strerror(-code));
}

/* The config.json that will replace the old one, with the same owner and mode. */
static int write_config(int fd, const struct stat *old, const char *text, size_t length)
{
	if (fchown(fd, old->st_uid, old->st_gid) < 0 || fchmod(fd, old->st_mode & 07777) < 0)
		return -errno;
	return idm_sys_write_all(fd, text, length);
}

static int exchange_config(const char *file, const struct stat *old, const char *text, size_t length,
			   struct idm_error *err)
{
	AUTO_FREE char *name = text_of("%.*s/.config.json.XXXXXX", (int)(strrchr(file, '/') - file),
				       file);
	AUTO_CLOSE int fd = name ? mkostemp(name, O_CLOEXEC) : -1;
	int r;

	if (fd < 0)
		return fail_errno(err, "create a new one beside it");
	r = write_config(fd, old, text, length);
	if (r == 0 && rename(name, file) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	unlink(name);
	return idm_fail(err, r, step_prepare, NULL, "write a new one: %s", strerror(-r));
}

static int rewrite(const char *file, const struct stat *old, const struct config *config,
		   struct idm_error *err)
{
	char *prepared = NULL;
	size_t n;
	int r = prepare_config(config, &prepared, &n, err);

	if (r == 0 && prepared)
		r = exchange_config(file, old, prepared, n, err);
	free(prepared);
	return r;
}

/* The target of a link is changed, not the link. */
static int find_file(const char *bundle, char *file, struct idm_error *err)
{
	char *name = text_of("%s/config.json", bundle);
	int r = 0;

	if (!name)
		return idm_fail_errno(err, -ENOMEM, step_prepare, NULL);
	if (!realpath(name, file)) {
		r = fail_errno(err, "read");
		snprintf(file, PATH_MAX, "%s", name);
	}
	free(name);
	return r;
}

static int open_and_judge_sources(struct idm_oci *oci, struct idm_error *err)
{
	int r = oci->annotation ? idm_oci_open_sources(oci, err) : 0;

	return r < 0 ? r : judge_annotations(oci, err);
}

/* CRIU restores the mounts of a container as it has saved them. */
static int refuse_maps(const struct config *config, struct idm_error *err)
{
	int r = config_requests_map(config, err);

	if (r <= 0)
		return r;
	return idm_fail(err, -EOPNOTSUPP, step_prepare, NULL,
			"restore: a container with ID-mapped mounts cannot be restored");
}

static int read_and_rewrite(const char *file, int dirfd, const struct bundle *bundle,
			    struct idm_error *err)
{
	struct config_file old;
	struct config config = {
		.dirfd = dirfd,
		.hook = bundle->hook,
		.handler = bundle->handler,
		.log = bundle->log,
		.hook_stderr = bundle->hook_stderr,
		.output_replaced = bundle->output_replaced,
		.judge = open_and_judge_sources,
	};
	int r = read_config_file(file, step_prepare, &old, err);

	config.text = old.text;
	config.length = old.length;
	if (r == 0)
		r = bundle->restored ? refuse_maps(&config, err) : rewrite(file, &old.st, &config, err);
	free(old.text);
	return r;
}

int prepare_bundle(const struct bundle *bundle, char *file, struct idm_error *err)
{
	int dirfd = open(bundle->directory, O_PATH | O_DIRECTORY | O_CLOEXEC), r;

	snprintf(file, PATH_MAX, "%s", bundle->directory);
	if (!idm_is_utf8(bundle->hook)) {
		if (dirfd >= 0)
			close(dirfd);
		return idm_fail(err, -EILSEQ, step_prepare, NULL,
				"config.json cannot name %s, which is not UTF-8, as its hook",
				bundle->hook);
	}
	if (dirfd < 0)
		return fail_errno(err, "open");
	r = find_file(bundle->directory, file, err);
	if (r == 0)
		r = read_and_rewrite(file, dirfd, bundle, err);
	close(dirfd);
	return r;
}
