// SPDX-License-Identifier: MIT
/*
 * An overlay before Linux 6.15, where layers have to be attached in the caller's mount namespace and
 * are named in a string. So a child gets a mount namespace of its own, attaches there what has to be
 * attached, and mounts the overlay. It opens a detached copy of that in the descriptor table that it
 * shares with its parent, and exits. The namespace disappears too, and no other process has seen it.
 *
 * The string may have 4095 bytes: layers are named by links "0", "1", ... in a tmpfs that the child is
 * in, so that 500 of them fit, whatever they are called.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/probe.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"

/* One page: the most that mount(2) accepts. */
#define OPTIONS_SIZE 4096

/* What is to be done, and how far it got; both sides share it. */
struct job {
	const struct idm_overlay_options *overlay;
	const struct idm_layers *layers;
	int scratch;	   /* a detached tmpfs */
	bool as_root;	   /* mount as mapped root */
	uint32_t uid, gid; /* which is this */
	enum idm_error_step step;
	char options[OPTIONS_SIZE];
};

/*
 * The name of a layer in the tmpfs. Lower layers have the shortest names possible. Upper and work have
 * names that upper-in-use.c recognises in the options of the overlay.
 */
static struct idm_layer_name get_layer_name(const struct job *job, size_t i)
{
	struct idm_layer_name name;

	if (job->layers->v[i].writable)
		idm_layer_name(&job->layers->v[i], &name);
	else
		snprintf(name.text, sizeof(name.text), "%zu", i);
	return name;
}

/* ---- the options ---- */

struct text {
	char *buf;
	size_t size, length;
};

static void append_text(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (t->length + n < t->size)
		memcpy(t->buf + t->length, s, n + 1);
	t->length += n;
}

/* Commas separate options, colons layers; a backslash escapes both. */
static void append_escaped(struct text *t, const char *s)
{
	for (; *s; s++) {
		char c[3] = { '\\', *s, '\0' };

		append_text(t, strchr("\\,", *s) ? c : c + 1);
	}
}

static int write_options(struct job *job, struct idm_error *err)
{
	const struct idm_overlay_options *o = job->overlay;
	struct text t = { job->options, sizeof(job->options), 0 };

	append_text(&t, "lowerdir=");
	for (size_t i = 0; i < o->n_lower + o->n_data; i++) {
		struct idm_layer_name name = get_layer_name(job, i);

		/* A double colon begins the data-only layers, and separates them. */
		append_text(&t, i == 0 ? "" : i < o->n_lower ? ":" : "::");
		append_text(&t, name.text);
	}
	for (size_t i = o->n_lower + o->n_data; i < job->layers->n; i++) {
		struct idm_layer_name name = get_layer_name(job, i);

		append_text(&t, ",");
		append_text(&t, job->layers->v[i].key);
		append_text(&t, "=");
		append_text(&t, name.text);
	}
	for (size_t i = 0; i < o->n_options; i++) {
		append_text(&t, ",");
		append_escaped(&t, o->options[i].name);
		if (!o->options[i].value)
			continue;
		append_text(&t, "=");
		append_escaped(&t, o->options[i].value);
	}
	if (t.length < t.size)
		return 0;
	return idm_fail(err, -E2BIG, IDM_STEP_OPEN_OVERLAY, NULL,
			"the options are %zu bytes, %zu more than the kernel accepts", t.length,
			t.length - t.size + 1);
}

/* ---- in the child ---- */

static int attach_clones(struct job *job)
{
	for (size_t i = 0; i < job->layers->n_clones; i++) {
		char name[24];
		int r;

		snprintf(name, sizeof(name), "c%zu", i);
		r = idm_sys_mkdirat(job->scratch, name, 0755);
		if (r == 0)
			r = idm_sys_move_mount(job->layers->clones[i], "", job->scratch, name,
					       MOVE_MOUNT_F_EMPTY_PATH);
		if (r < 0)
			return r;
	}
	return 0;
}

static int link_layers(struct job *job)
{
	for (size_t i = 0; i < job->layers->n; i++) {
		const struct idm_layer *l = &job->layers->v[i];
		struct idm_layer_name name = get_layer_name(job, i);
		char target[PATH_MAX];
		int r;

		if ((size_t)snprintf(target, sizeof(target), "c%zu/%s", l->clone, l->below) >=
		    sizeof(target))
			return -ENAMETOOLONG;
		r = idm_sys_symlinkat(target, job->scratch, name.text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Where everything is attached: over the root directory of a copy of the mount namespace. */
static int enter_new_tmpfs(struct job *job)
{
	int r = idm_subprocess_new_mount_ns();

	if (r == 0)
		r = idm_sys_move_mount(job->scratch, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (r == 0)
		r = idm_sys_fchdir(job->scratch);
	return r;
}

/* Returns a detached copy of the overlay, in the descriptor table that is also the caller's. */
static int assemble_here(void *data)
{
	struct job *job = data;
	const char *source = job->overlay->source ? job->overlay->source : "overlay";
	int r;

	job->step = IDM_STEP_ENTER_MOUNT_NAMESPACE;
	r = enter_new_tmpfs(job);
	if (r < 0)
		return r;
	job->step = IDM_STEP_ATTACH_LAYERS;
	r = attach_clones(job);
	if (r == 0)
		r = link_layers(job);
	if (r == 0)
		r = idm_sys_mkdirat(job->scratch, "overlay", 0755);
	if (r < 0)
		return r;
	if (job->as_root) {
		job->step = IDM_STEP_BECOME_MAPPED_ROOT;
		r = idm_subprocess_set_fsids(job->uid, job->gid);
		if (r < 0)
			return r;
	}
	job->step = IDM_STEP_NONE;
	r = idm_sys_mount(source, "overlay", "overlay", 0, job->options);
	if (r < 0)
		return r;
	job->step = IDM_STEP_COPY_OVERLAY;
	return idm_sys_open_tree(AT_FDCWD, "overlay", OPEN_TREE_CLONE);
}

/* ---- in the caller ---- */

static int assemble_in_child(struct job *job, struct idm_error *err)
{
	const struct idm_overlay_options *o = job->overlay;
	int r;

	job->as_root = o->map && o->upper && o->upper_ids == IDM_UPPER_DISK;
	if (job->as_root) {
		idm_map_to_seen(o->map, IDM_UID, 0, &job->uid);
		idm_map_to_seen(o->map, IDM_GID, 0, &job->gid);
	}
	r = write_options(job, err);
	if (r < 0)
		return r;
	r = idm_subprocess(assemble_here, job);
	if (r >= 0)
		return r;
	return job->step ? idm_fail_errno(err, r, job->step, NULL)
			 : idm_diagnose_no_overlay(r, -1, o, err);
}

int idm_overlay_in_namespace(const struct idm_overlay_options *o, const struct idm_layers *layers,
			     struct idm_error *err)
{
	AUTO_CLOSE int scratch = idm_probe_tmpfs();
	struct job *job;
	int r;

	if (scratch < 0)
		return idm_fail_errno(err, scratch, IDM_STEP_MAKE_SCRATCH, NULL);
	job = idm_subprocess_memory(sizeof(*job));
	if (!job)
		return idm_fail_errno(err, -ENOMEM, IDM_STEP_OPEN_OVERLAY, NULL);
	*job = (struct job){ .overlay = o, .layers = layers, .scratch = scratch };
	r = assemble_in_child(job, err);
	idm_subprocess_memory_free(job, sizeof(*job));
	return r;
}
