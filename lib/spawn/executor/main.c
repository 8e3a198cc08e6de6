// SPDX-License-Identifier: MIT
/*
 * The executor: a program without libc inside the library. A child executes it from memory. It maps the
 * request's memory file. In its own memory it does what must not happen in the caller's, without a copy
 * of the caller's memory. It is not dumpable, so no process in the namespaces that it joins can access
 * its descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>

#include "executor.h"

static int32_t parse_fd(const char *text)
{
	int32_t n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (*text - '0');
	return n;
}

static struct idm_request *map_request(int32_t fd)
{
	uint64_t size;
	long r = idm_raw_map_file(fd, &size);
	int32_t error = (int32_t)r;

	if (idm_raw_map_failed(r)) {
		idm_raw_pwrite(fd, &error, sizeof(error),
			       __builtin_offsetof(struct idm_request, report.error));
		idm_raw_exit(1);
	}
	return (struct idm_request *)r;
}

/* Undoes the changes by which vfork-child.c kept the capabilities through the exec. */
static long restore_capabilities(struct idm_request *request)
{
	long r;

	if (!(request->flags & IDM_REQUEST_RAISE_AMBIENT))
		return 0;
	idm_child_capset(&request->own, &r);
	return r < 0 ? r : idm_child_set_ambient(request->own.ambient);
}

/* Closes all descriptors that lead out of the root. */
static void close_escapes(struct idm_request *request)
{
	struct idm_request_join *joins = idm_request_array(request, request->joins);
	struct idm_request_mount *mounts = idm_request_array(request, request->mounts);

	for (uint32_t i = 0; i < request->n_joins; i++)
		raw(SYS_close, joins[i].fd);
	for (uint32_t i = 0; i < request->n_mounts; i++)
		if (mounts[i].tree >= 0)
			raw(SYS_close, mounts[i].tree);
	if (request->root_fd >= 0)
		raw(SYS_close, request->root_fd);
	if (request->assembly_userns_fd >= 0)
		raw(SYS_close, request->assembly_userns_fd);
	request->n_joins = 0;
	request->n_mounts = 0;
	request->root_fd = -1;
	request->assembly_userns_fd = -1;
}

static void become_program(void *data)
{
	struct idm_request *request = data;
	long r = idm_child_session(request);

	if (r == 0)
		r = idm_child_credentials(request);
	if (r == 0)
		r = idm_child_cwd(request);
	if (r == 0)
		r = idm_child_exec(request);
	idm_request_fail(request, r);
}

static long set_hostname(struct idm_request *request)
{
	const char *name = idm_request_at(request, request->hostname);
	long n = 0;

	if (!name)
		return 0;
	while (name[n])
		n++;
	idm_request_begin(request, IDM_CHILD_STEP_HOSTNAME, 0, request->hostname);
	return raw(SYS_sethostname, name, n);
}

void idm_raw_main(const uintptr_t *stack)
{
	struct idm_request *request;
	int32_t fd;
	long r;

	/* Rejects other callers, such as a script in the root that names /proc/self/exe. */
	if (stack[0] != 1 || !stack[3])
		idm_raw_exit(126);
	fd = parse_fd((const char *)stack[3]); /* after argc, argv[0] and NULL: envp[0] */
	raw(SYS_prctl, PR_SET_DUMPABLE, 0);
	raw(SYS_prctl, PR_SET_NAME, "idm-child");
	request = map_request(fd);
	request->executor_fd = -1;
	idm_request_each_fd(request, idm_request_set_fd_flags, FD_CLOEXEC);
	r = restore_capabilities(request);
	if (r == 0)
		r = idm_child_enter(request);
	if (r == 0)
		r = idm_child_second(request);
	if (r == 0)
		r = idm_child_root(request);
	if (r == 0)
		r = set_hostname(request);
	if (r == 0)
		r = idm_child_new_keyring(request);
	if (r < 0)
		idm_request_fail(request, r);
	close_escapes(request);
	if (request->flags & IDM_REQUEST_INIT)
		idm_child_init(request, become_program);
	become_program(request);
	idm_raw_exit(1);
}
