// SPDX-License-Identifier: MIT
#include "apply.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dry-run.h"
#include "input.h"
#include "plan-exposure.h"
#include "plan-harden.h"
#include "progress.h"
#include "report.h"
#include "oci/plan-view.h"

void apply_request_free(struct apply_request *request)
{
	if (request->how.dirfd >= 0)
		close(request->how.dirfd);
	idm_plan_free(request->plan);
}

/* ---- the text ---- */

/* The directory at which relative paths in the file begin. */
static int open_directory_of(const char *file)
{
	char *copy = strdup(file);
	int fd = copy ? open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	free(copy);
	return fd;
}

static int read_plan(struct apply_request *q, const char *file)
{
	struct idm_error err;
	char *text;
	size_t length;
	int status = read_file(file, &text, &length);

	if (status == DONE && !is_input(file)) {
		q->how.dirfd = open_directory_of(file);
		if (q->how.dirfd < 0)
			status = report_failure("%s: open its directory: %s", file, strerror(errno));
	}
	if (status == DONE && idm_plan_read(q->plan, text, length, &q->how, &err) < 0)
		status = report_error_in(input_name(file), &err);
	free(text);
	return status;
}

/* ---- applying ---- */

/* Each mount needs descriptors while the plan is put together. The soft limit is for select(2). */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Trees are copied and mapped. Filesystems and overlays would write, so they are left out. */
static int try_plan(const struct apply_request *q, const char *target)
{
	int status = try_target(target, q->apply.flags & IDM_PLAN_APPLY_MKDIR);

	if (status == DONE)
		status = try_journal(q->apply.journal);
	for (size_t i = 0; i < count_plan_entries(q->plan) && status == DONE; i++) {
		struct plan_store store;

		if (get_plan_store(q->plan, i, IDM_UPPER_SHIFTED, &store))
			status = try_mapping(&store.path, store.map);
	}
	return end_dry_run(status, target);
}

int do_apply(struct apply_request *q, const char *file, const char *target)
{
	struct exposed exposed = { 0 };
	struct hardened hardened;
	struct idm_error err;
	int status;

	if (idm_plan_new(&q->plan) < 0)
		return out_of_memory();
	/* Before the plan has descriptors: the kernel copies no mount of another namespace. */
	status = q->dry_run ? begin_dry_run() : DONE;
	if (status == DONE)
		status = read_plan(q, file);
	if (status != DONE)
		return status;
	raise_descriptor_limit();
	hardened = harden_plan(q->plan, NULL);
	report_step("read %s: %zu mounts", input_name(file), count_plan_entries(q->plan));
	if (q->dry_run)
		return try_plan(q, target);
	look_for_exposure_of_plan(&exposed, q->plan, q->apply.upper_ids);
	q->apply.flags |= IDM_PLAN_APPLY_SERVICE;
	q->apply.progress = show_progress;
	q->apply.progress_data = (void *)"mount";
	if (idm_plan_apply(q->plan, AT_FDCWD, target, &q->apply, &err) < 0)
		return report_error(&err);
	report_step("attached the tree of them at %s", target);
	report_hardened(&hardened, "mount");
	report_exposed(&exposed);
	return DONE;
}

int do_undo(const char *journal, unsigned int flags)
{
	struct idm_error err;

	return idm_plan_undo(journal, flags, &err) < 0 ? report_error(&err) : DONE;
}
