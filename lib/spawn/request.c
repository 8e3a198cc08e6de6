// SPDX-License-Identifier: MIT
/* Makes a request of the options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step = IDM_STEP_START_PROGRAM;

/* The default of most containers, for an environment without PATH. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- the program ---- */

static const char *find_search_path(const char *const *envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return DEFAULT_PATH;
}

/* "DIRECTORY/NAME"; an empty directory is the working one. */
static uint32_t add_candidate(struct idm_block *block, const char *directory, size_t length,
			      const char *name)
{
	size_t n = strlen(name);
	uint32_t at = idm_block_reserve(block, length + n + 3);

	if (!at)
		return 0;
	if (length == 0)
		block->data[at] = '.';
	memcpy(block->data + at, directory, length);
	length += length == 0;
	block->data[at + length] = '/';
	memcpy(block->data + at + length + 1, name, n);
	return at;
}

static void add_search_paths(struct idm_block *block, const char *path, const char *name)
{
	uint32_t n = 1, at;

	for (const char *p = path; *p; p++)
		n += *p == ':';
	at = idm_block_reserve(block, n * sizeof(uint32_t));
	for (uint32_t i = 0; i < n && !block->failed; i++) {
		size_t length = strcspn(path, ":");
		uint32_t candidate = add_candidate(block, path, length, name);

		if (candidate)
			*IDM_BLOCK_ELEMENT(block, at, uint32_t, i) = candidate;
		path += length + 1;
	}
	idm_block_request(block)->paths = at;
	idm_block_request(block)->n_paths = n;
}

static void add_program(struct idm_block *block, const struct idm_child_options *o)
{
	const char *const *envp = o->envp ? o->envp : (const char *const *)environ;
	static const char *const none[] = { NULL };
	uint32_t at;

	if (!envp) /* after clearenv(3) */
		envp = none;
	if (o->flags & IDM_CHILD_SEARCH_PATH && !strchr(o->path, '/')) {
		add_search_paths(block, find_search_path(envp), o->path);
	} else {
		at = idm_block_add_string(block, o->path);
		idm_block_request(block)->paths = idm_block_append(block, &at, sizeof(at));
		idm_block_request(block)->n_paths = 1;
	}
	at = idm_block_add_strings(block, o->argv);
	idm_block_request(block)->argv = at;
	at = idm_block_add_strings(block, envp);
	idm_block_request(block)->envp = at;
	idm_block_request(block)->program_fd = o->program_fd;
	idm_block_request(block)->cwd_fd = -1;
	at = idm_block_add_string(block, o->cwd ? o->cwd : o->root_fd >= 0 ? "/" : NULL);
	idm_block_request(block)->cwd = at;
}

/* ---- all of it ---- */

/* Whether a step must not happen in the caller's memory: vfork-child.c has the reason. */
static bool needs_executor(const struct idm_child_options *o, const struct idm_request *request)
{
	return o->namespaces || request->n_joins || o->uid != IDM_CHILD_KEEP_ID ||
	       o->gid != IDM_CHILD_KEEP_ID ||
	       o->flags & (IDM_CHILD_SET_GROUPS | IDM_CHILD_DIE_WITH_THREAD | IDM_CHILD_NEW_KEYRING |
			   IDM_CHILD_NO_KEYRINGS) ||
	       o->capabilities || o->seccomp_fd >= 0;
}

static uint64_t get_blocked_signals(void)
{
	uint64_t mask;

	idm_sys_block_signals(&mask);
	idm_sys_restore_signals(&mask);
	return mask;
}

static void add_request_flags(struct idm_block *block, const struct idm_child_options *o)
{
	static const struct {
		uint32_t option, request;
	} same[] = {
		{ IDM_CHILD_KEEP_FDS, IDM_REQUEST_KEEP_FDS },
		{ IDM_CHILD_RESET_SIGNALS, IDM_REQUEST_RESET_IGNORED },
		{ IDM_CHILD_SESSION, IDM_REQUEST_SESSION },
		{ IDM_CHILD_NO_NEW_PRIVS, IDM_REQUEST_NO_NEW_PRIVS },
		{ IDM_CHILD_UNDER_INIT, IDM_REQUEST_INIT },
		{ IDM_CHILD_DIE_WITH_THREAD, IDM_REQUEST_DIE },
		{ IDM_CHILD_NEW_KEYRING, IDM_REQUEST_KEYRING },
		{ IDM_CHILD_DISABLE_USERNS, IDM_REQUEST_LIMIT_USERNS },
		{ IDM_CHILD_NO_KEYRINGS, IDM_REQUEST_NO_KEYRINGS },
	};
	struct idm_request *request = idm_block_request(block);

	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		if (o->flags & same[i].option)
			request->flags |= same[i].request;
	request->terminal_fd = o->terminal_fd;
	request->process_group = o->process_group;
	request->mask = o->flags & IDM_CHILD_RESET_SIGNALS ? 0 : get_blocked_signals();
	if (needs_executor(o, request))
		request->flags |= IDM_REQUEST_EXECUTOR;
}

static void add_hostname(struct idm_block *block, const struct idm_child_options *o)
{
	uint32_t hostname = idm_block_add_string(block, o->hostname);

	idm_block_request(block)->hostname = hostname;
}

/* The request itself has eight descriptors: see idm_request_each_fd(). */
static void reserve_kept(struct idm_block *block)
{
	struct idm_request *request = idm_block_request(block);
	uint32_t n = request->n_fds + request->n_joins + request->n_mounts + 8;
	uint32_t kept = idm_block_reserve(block, n * sizeof(int32_t));

	idm_block_request(block)->kept = kept;
}

static int fill_request(struct idm_block *block, const struct idm_child_options *o,
			const struct idm_child_userns *userns, uint64_t *clone_flags,
			struct idm_error *err)
{
	int r;

	idm_block_reserve(block, sizeof(struct idm_request));
	if (block->failed)
		return 0;
	add_program(block, o);
	r = idm_child_check_open(o->program_fd, IDM_STEP_EXECUTE_DESCRIPTOR, err);
	if (r == 0)
		r = idm_child_check_open(o->terminal_fd, IDM_STEP_SET_TERMINAL, err);
	if (r == 0)
		r = idm_request_add_fds(block, o, userns, err);
	if (r == 0)
		r = idm_request_add_joins(block, o, userns, err);
	if (r == 0)
		r = idm_request_add_mounts(block, o, err);
	if (r == 0)
		r = idm_request_add_filter(block, o, err);
	if (r == 0)
		r = idm_request_add_root(block, o, err);
	if (r < 0)
		return r;
	idm_request_add_namespaces(block, o, clone_flags);
	idm_request_add_identity(block, o);
	add_request_flags(block, o);
	add_hostname(block, o);
	reserve_kept(block);
	idm_block_request(block)->size = block->used;
	return 0;
}

int idm_child_make_request(const struct idm_child_options *o, const struct idm_child_userns *userns,
			   struct idm_request **request, uint64_t *clone_flags, struct idm_error *err)
{
	struct idm_block block = { .data = malloc(16384), .size = 16384 };
	int r;

	if (!block.data)
		return idm_fail_errno(err, -ENOMEM, step, NULL);
	r = fill_request(&block, o, userns, clone_flags, err);
	if (r == 0 && block.failed)
		r = idm_fail_because(err, block.failed, step, o->path,
				     block.failed == -E2BIG ? "the arguments are too long" : NULL);
	if (r < 0) {
		free(block.data);
		return r;
	}
	*request = idm_block_request(&block);
	return 0;
}
