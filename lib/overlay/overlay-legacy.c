// SPDX-License-Identifier: MIT
/*
 * An overlay before Linux 6.15, where layers have to be attached in the caller's mount namespace and
 * are named in a string. So a child gets a mount namespace of its own, attaches there what has to be
 * attached, and mounts the overlay. It opens a detached copy of that in the descriptor table that it
 * shares with its parent, and exits. The namespace disappears too, and no other process has seen it.
 *
 * The string may have 4095 bytes. It names layers by their paths below the copies, which are in a tmpfs
 * that the child is in. If these are too long, links "0", "1", ... in the tmpfs name all of them, so
 * that 500 layers fit, whatever they are called. A path with a special character is named by a link,
 * too. Where all layers are below one copy, and need no link, the child is in that copy, and needs no
 * tmpfs. It mounts the overlay over the top layer there. The layers of an overlay are found before it is
 * mounted, and no other process sees that mount.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/mount/staging.h"
#include "lib/sys/delegate.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/probe.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"

/* One page: the most that mount(2) accepts. */
#define OPTIONS_SIZE 4096

/* In the tmpfs. */
#define TARGET "overlay"

/* An overlay to assemble in a child, and how far the child came. */
struct assembly {
	const struct idm_overlay_options *overlay;
	const struct idm_layers *layers;
	struct idm_layer_name upper, work; /* their names in the tmpfs */
	int scratch;			   /* a detached tmpfs; -1: none is needed */
	int base;			   /* where the child is: that, or the only copy */
	const char *target;		   /* of the overlay, from there */
	struct idm_delegate *root;	   /* mounts as mapped root; NULL: the child does it */
	enum idm_error_step step;
	bool link_all; /* the paths do not fit */
	bool needs_scratch;
	char options[OPTIONS_SIZE];
};

/* ---- texts, also in the child: without stdio ---- */

struct text {
	char *buf;
	size_t size, length;
};

static void append_string(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (t->length + n < t->size)
		memcpy(t->buf + t->length, s, n + 1);
	t->length += n;
}

static void append_decimal(struct text *t, size_t number)
{
	char digits[24], *d = digits + sizeof(digits) - 1;

	*d = '\0';
	do
		*--d = (char)('0' + number % 10);
	while (number /= 10);
	append_string(t, d);
}

static void append_clone_name(struct text *t, size_t i)
{
	append_string(t, "c");
	append_decimal(t, i);
}

/* From the tmpfs. */
static void append_layer_path(struct text *t, const struct idm_layer *l)
{
	append_clone_name(t, l->clone);
	append_string(t, "/");
	append_string(t, l->below);
}

/* From the directory that the child is in. */
static void append_plain_name(struct text *t, const struct assembly *a, const struct idm_layer *l)
{
	if (a->needs_scratch)
		append_layer_path(t, l);
	else
		append_string(t, l->below);
}

/* Whether a link in the tmpfs names the layer. Commas, colons and backslashes would need escapes. */
static bool is_linked(const struct assembly *a, const struct idm_layer *l)
{
	return a->link_all || l->writable || !*l->below || l->below[strcspn(l->below, ",:\\")];
}

/*
 * The name of a link in the tmpfs. Those of lower layers are the shortest possible. Upper and work have
 * names that upper-in-use.c recognises in the options of the overlay.
 */
static void append_link_name(struct text *t, const struct assembly *a, size_t i)
{
	if (!a->layers->v[i].writable)
		append_decimal(t, i);
	else
		append_string(t, i == a->layers->n - 1 ? a->work.text : a->upper.text);
}

static void append_layer_name(struct text *t, const struct assembly *a, size_t i)
{
	if (is_linked(a, &a->layers->v[i]))
		append_link_name(t, a, i);
	else
		append_plain_name(t, a, &a->layers->v[i]);
}

/* Whether the layers are below several copies, or one of them has a link. */
static bool needs_scratch(const struct assembly *a)
{
	for (size_t i = 0; i < a->layers->n; i++)
		if (is_linked(a, &a->layers->v[i]))
			return true;
	return a->layers->n_clones != 1;
}

/* ---- the options ---- */

/* Commas separate options, colons layers; a backslash escapes both. */
static void append_escaped(struct text *t, const char *s)
{
	for (; *s; s++) {
		char c[3] = { '\\', *s, '\0' };

		append_string(t, strchr("\\,", *s) ? c : c + 1);
	}
}

static void append_layers(struct text *t, const struct assembly *a)
{
	const struct idm_overlay_options *o = a->overlay;

	append_string(t, "lowerdir=");
	for (size_t i = 0; i < o->n_lower + o->n_data; i++) {
		/* A double colon begins the data-only layers, and separates them. */
		append_string(t, i == 0 ? "" : i < o->n_lower ? ":" : "::");
		append_layer_name(t, a, i);
	}
	for (size_t i = o->n_lower + o->n_data; i < a->layers->n; i++) {
		append_string(t, ",");
		append_string(t, a->layers->v[i].key);
		append_string(t, "=");
		append_layer_name(t, a, i);
	}
}

/* Returns the length, which may be more than fits. */
static size_t compose_options(struct assembly *a)
{
	const struct idm_overlay_options *o = a->overlay;
	struct text t = { a->options, sizeof(a->options), 0 };

	append_layers(&t, a);
	for (size_t i = 0; i < o->n_options; i++) {
		append_string(&t, ",");
		append_escaped(&t, o->options[i].name);
		if (!o->options[i].value)
			continue;
		append_string(&t, "=");
		append_escaped(&t, o->options[i].value);
	}
	return t.length;
}

static int write_options(struct assembly *a, struct idm_error *err)
{
	size_t length;

	a->needs_scratch = needs_scratch(a);
	length = compose_options(a);
	if (length >= sizeof(a->options)) {
		a->link_all = a->needs_scratch = true;
		length = compose_options(a);
	}
	if (length < sizeof(a->options))
		return 0;
	return idm_fail(err, -E2BIG, IDM_STEP_OPEN_OVERLAY, NULL,
			"the options are %zu bytes, %zu more than the kernel accepts", length,
			length - sizeof(a->options) + 1);
}

/* ---- in the child ---- */

static const char *get_source(const struct assembly *a)
{
	return a->overlay->source ? a->overlay->source : "overlay";
}

static int attach_clones(struct assembly *a)
{
	for (size_t i = 0; i < a->layers->n_clones; i++) {
		char name[24];
		struct text t = { name, sizeof(name), 0 };
		int r;

		append_clone_name(&t, i);
		r = idm_sys_mkdirat(a->scratch, name, 0755);
		if (r == 0)
			r = idm_sys_move_mount(a->layers->clones[i], "", a->scratch, name,
					       MOVE_MOUNT_F_EMPTY_PATH);
		if (r < 0)
			return r;
	}
	return 0;
}

static int link_layer(const struct assembly *a, size_t i)
{
	char name[sizeof(a->upper.text)], target[PATH_MAX];
	struct text n = { name, sizeof(name), 0 }, t = { target, sizeof(target), 0 };

	append_link_name(&n, a, i);
	append_layer_path(&t, &a->layers->v[i]);
	return t.length < t.size ? idm_sys_symlinkat(target, a->scratch, name) : -ENAMETOOLONG;
}

static int link_layers(struct assembly *a)
{
	int r = 0;

	for (size_t i = 0; i < a->layers->n && r == 0; i++)
		if (is_linked(a, &a->layers->v[i]))
			r = link_layer(a, i);
	return r;
}

/* Where everything is attached: over the root directory of a copy of the mount namespace. */
static int enter_base(struct assembly *a)
{
	int r = idm_staging_enter(a->overlay->staging_fd, &a->step);

	if (r == 0)
		r = idm_sys_move_mount(a->base, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (r == 0)
		r = idm_sys_fchdir(a->base);
	return r;
}

static int fill_scratch(struct assembly *a)
{
	int r = attach_clones(a);

	if (r == 0)
		r = link_layers(a);
	return r == 0 ? idm_sys_mkdirat(a->scratch, TARGET, 0755) : r;
}

/* This process may share the caller's memory, and then must not change its own credentials. */
static int mount_assembled(struct assembly *a)
{
	int r;

	if (a->root) {
		r = idm_delegate_run(a->root);
		a->step = idm_delegate_is_owner(a->root) ? IDM_STEP_NONE : IDM_STEP_BECOME_MAPPED_ROOT;
		return r;
	}
	a->step = IDM_STEP_NONE;
	return idm_sys_mount(get_source(a), a->target, "overlay", 0, a->options);
}

/* Returns a detached copy of the overlay, in the descriptor table that is also the caller's. */
static int assemble_here(void *data)
{
	struct assembly *a = data;
	int r;

	a->step = IDM_STEP_ENTER_MOUNT_NAMESPACE;
	r = enter_base(a);
	if (r < 0)
		return r;
	a->step = IDM_STEP_ATTACH_LAYERS;
	r = a->needs_scratch ? fill_scratch(a) : 0;
	if (r < 0)
		return r;
	r = mount_assembled(a);
	if (r < 0)
		return r;
	a->step = IDM_STEP_COPY_OVERLAY;
	return idm_sys_open_tree(AT_FDCWD, a->target, OPEN_TREE_CLONE);
}

/* ---- in the caller ---- */

static void name_writable(struct assembly *a, const struct idm_overlay_options *o)
{
	const struct idm_layer *v = a->layers->v;
	size_t n = a->layers->n;

	if (!o->upper)
		return;
	idm_layer_name(&v[n - 2], &a->upper);
	idm_layer_name(&v[n - 1], &a->work);
}

static bool needs_mapped_root(const struct idm_overlay_options *o)
{
	return o->map && o->upper && o->upper_ids == IDM_UPPER_DISK;
}

static int assemble_as_root(struct assembly *a)
{
	struct idm_delegate_work work = {
		.operation = IDM_DELEGATE_MOUNT_OVERLAY,
		.uid = a->layers->root_uid,
		.gid = a->layers->root_gid,
		.fd = -1,
		.name = TARGET,
		.source = get_source(a),
		.options = a->options,
	};
	struct idm_delegate root;
	int r;

	r = idm_delegate_prepare(&root, &work);
	if (r < 0)
		return r;
	a->root = &root; /* analyzer: nothing uses it after this function */
	r = idm_subprocess_shared_again(assemble_here, a, sizeof(*a));
	idm_delegate_release(&root);
	return r;
}

/* The user namespace of a map had a child. */
static int assemble_somewhere(struct assembly *a)
{
	if (needs_mapped_root(a->overlay))
		return assemble_as_root(a);
	if (a->overlay->map)
		return idm_subprocess_shared_again(assemble_here, a, sizeof(*a));
	return idm_subprocess_shared(assemble_here, a, sizeof(*a));
}

static int assemble_in_child(struct assembly *a, struct idm_error *err)
{
	int r = assemble_somewhere(a);

	if (r >= 0)
		return r;
	return a->step ? idm_diagnose_staging(r, a->step, err)
		       : idm_diagnose_no_overlay(r, -1, a->overlay, err);
}

/* Decides where the child works. */
static int prepare_base(struct assembly *a, struct idm_error *err)
{
	if (!a->needs_scratch) {
		a->base = a->layers->clones[0];
		a->target = a->layers->v[0].below;
		return 0;
	}
	a->base = a->scratch = idm_probe_tmpfs();
	a->target = TARGET;
	return a->scratch < 0 ? idm_fail_errno(err, a->scratch, IDM_STEP_MAKE_SCRATCH, NULL) : 0;
}

int idm_overlay_in_namespace(const struct idm_overlay_options *o, const struct idm_layers *layers,
			     struct idm_error *err)
{
	/* It is too large for a small stack. */
	AUTO_FREE struct assembly *a = malloc(sizeof(*a));
	int r;

	if (!a)
		return idm_fail_errno(err, -ENOMEM, IDM_STEP_OPEN_OVERLAY, NULL);
	*a = (struct assembly){ .overlay = o, .layers = layers, .scratch = -1 };
	name_writable(a, o);
	r = write_options(a, err);
	if (r == 0)
		r = prepare_base(a, err);
	if (r == 0)
		r = assemble_in_child(a, err);
	idm_close_fd(&a->scratch);
	return r;
}
