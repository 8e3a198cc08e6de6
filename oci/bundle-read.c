// SPDX-License-Identifier: MIT
/*
 * The config.json of a container that a runtime is making, as the hook reads it. Of the mounts it reads
 * only those that have a map. The map is the mount's own, comes from an annotation, or is passed by the
 * engine beside the text.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/plan/plan.h"
#include "lib/spec/oci-config.h"
#include "lib/spec/oci-mappings.h"
#include "lib/sys/fail-errno.h"
#include "oci.h"

static const enum idm_error_step step_read = IDM_STEP_READ_PLAN;

struct bundle {
	struct idm_oci_config config; /* first: the functions of the selection get it */
	struct idm_oci *mapped;
	const struct idm_oci_text *text;
	struct idm_json annotations;
	struct idm_oci_annotations list;
};

/* ---- mounts ---- */

static bool has_map(const struct idm_json *mount, const struct idm_option_list *list)
{
	struct idm_json mappings;

	for (size_t i = 0; i < list->n; i++)
		if (idm_find_map_option(list->options[i], NULL))
			return true;
	return idm_json_member(mount, "uidMappings", &mappings) ||
	       idm_json_member(mount, "gidMappings", &mappings);
}

/* Remembers the destination, mapped or not. */
static int note_mount(struct bundle *b, const char *destination, bool mapped)
{
	struct idm_oci *o = b->mapped;
	struct idm_oci_mount *mount = &o->mounts[o->n];
	size_t n;

	destination = idm_trim_target(destination, &n);
	mount->destination = strndup(destination, n);
	/* analyzer: idm_oci_free() frees it */
	if (!mount->destination)
		return idm_fail_errno(b->config.reader->err, -ENOMEM, step_read, NULL);
	mount->step = mapped ? o->plan->n : 0;
	mount->source = -1;
	o->n++;
	return 0;
}

/* The engine's request beside the text for that destination, or NULL. */
static const char *find_request(const struct bundle *b, const char *destination, size_t n)
{
	for (size_t i = 0; i < b->text->n_requests; i++) {
		size_t length;
		const char *request = b->text->requests[i],
			   *other = idm_oci_request_destination(request, &length);

		if (other && length == n && memcmp(other, destination, n) == 0)
			return request;
	}
	return NULL;
}

/* The request for a map of one mount from outside of that mount; both NULL: no such request. */
struct outside_request {
	const char *argument; /* of the hook */
	const struct idm_oci_annotation *annotation;
};

/* Finds the container's map if the requested map is relative to it. */
static int find_base(struct bundle *b, const struct outside_request *q, const struct idm_map **base)
{
	const char *text = q->argument ? q->argument : q->annotation->value;

	*base = NULL;
	return idm_oci_is_relative(text) ? idm_oci_find_relative_base(&b->config, base) : 0;
}

static int read_outside_map(struct bundle *b, const struct outside_request *q, const char **scope,
			    struct idm_map **own)
{
	struct idm_oci_mount *noted = &b->mapped->mounts[b->mapped->n - 1];
	struct idm_error *err = b->config.reader->err;
	const struct idm_map *base;
	int r = find_base(b, q, &base);

	if (r < 0)
		return r;
	if (q->argument)
		return idm_oci_read_request(q->argument, base, scope, own, err);
	noted->annotation = strdup(q->annotation->name);
	if (!noted->annotation)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	return idm_oci_read_annotation(q->annotation, base, scope, own, err);
}

/* The annotation asks for it, so an error is about that. */
static int find_container_map_of_annotation(struct bundle *b,
					    const struct idm_oci_annotation *annotation,
					    const char *scope, struct idm_plan_add_options *m)
{
	AUTO_FREE char *word = NULL;
	bool named = annotation->in_value;

	if (asprintf(&word, "%s%.*s%s%s", named ? "/" : "", named ? (int)annotation->n : 0,
		     annotation->destination, named ? ": " : "", scope) < 0) {
		word = NULL;
		return idm_fail_errno(b->config.reader->err, -ENOMEM, step_read, NULL);
	}
	return idm_oci_find_container_map(&b->config, &annotation->at, word, m);
}

static int find_outside_map(struct bundle *b, const struct idm_json *mount,
			    const struct outside_request *q, struct idm_option_list *list,
			    struct idm_plan_add_options *m, struct idm_map **own)
{
	const char *scope = NULL;
	int r = read_outside_map(b, q, &scope, own);

	if (r < 0)
		return r;
	if (scope)
		list->options[list->n++] = scope;
	m->map = *own;
	if (m->map)
		return 0;
	return q->annotation ? find_container_map_of_annotation(b, q->annotation, scope, m)
			     : idm_oci_find_container_map(&b->config, mount, scope, m);
}

static void remove_map_options(struct idm_option_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		if (!idm_find_map_option(list->options[i], NULL))
			list->options[n++] = list->options[i];
	list->n = n;
}

static bool has_option_with_map(const struct idm_option_list *list)
{
	const char *map;

	for (size_t i = 0; i < list->n; i++)
		if (idm_find_map_option(list->options[i], &map) && map)
			return true;
	return false;
}

/*
 * A kubelet adds the map of a pod with a user namespace to each of its volumes. The pod's author did not
 * ask for that. So an annotation counts, and these mappings do not.
 */
static int pass_over_pod_map(struct bundle *b, const struct idm_json *mount,
			     struct idm_option_list *list, bool *has)
{
	struct idm_map *rows = NULL;
	int r = 0;

	if (has_option_with_map(list))
		return 0;
	r = idm_oci_read_mappings(mount, &rows, b->config.reader->err);
	if (r == 0 && rows && b->config.map && !b->config.joined && idm_map_equal(rows, b->config.map)) {
		remove_map_options(list);
		*has = false;
	}
	idm_map_free(rows);
	return r;
}

static int check_once(const struct bundle *b, const struct idm_json *mount,
		      const struct outside_request *q, bool has)
{
	struct idm_error *err = b->config.reader->err;

	if (q->annotation && (has || q->argument))
		return idm_json_fail(mount, err, "duplicate map (also given by the annotation %s)",
				     q->annotation->name);
	if (q->argument && has)
		return idm_json_fail(mount, err, "duplicate map (also given by the hook's argument %s)",
				     q->argument);
	return 0;
}

/* Returns 1 if the mount is mapped as far as m says, 0 if it has no map. */
static int find_mapped(struct bundle *b, const struct idm_json *mount, struct idm_option_list *list,
		       struct idm_plan_add_options *m, struct idm_map **own)
{
	size_t n;
	const char *destination = idm_trim_target(m->target, &n);
	const struct outside_request q = { find_request(b, destination, n),
					   idm_oci_find_annotation(&b->list, destination, n) };
	bool has = has_map(mount, list);
	int r = q.annotation && has ? pass_over_pod_map(b, mount, list, &has) : 0;

	if (r == 0)
		r = check_once(b, mount, &q, has);
	if (r == 0)
		r = note_mount(b, m->target, q.annotation || q.argument || has);
	if (r < 0 || (!q.annotation && !q.argument && !has))
		return r;
	r = has ? idm_oci_find_map(&b->config, mount, list, m, own)
		: find_outside_map(b, mount, &q, list, m, own);
	b->mapped->mounts[b->mapped->n - 1].own_map = r == 0 && m->map && !*own;
	return r < 0 ? r : 1;
}

/* The runtime has mounted it already. A second overlay on the same upper directory damages its files. */
static int check_upper(const struct bundle *b, const struct idm_json *mount,
		       const struct idm_option_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->options[i], "upperdir=", 9) == 0)
			return idm_json_fail(mount, b->config.reader->err,
					     "%s is in use by the runtime's overlay: a second one on it "
					     "would damage it",
					     list->options[i]);
	return 0;
}

static int begin_mounts(struct idm_oci_config *config, const struct idm_json *whole, size_t n)
{
	struct bundle *b = (struct bundle *)config;

	b->mapped->mounts = calloc(n + 1, sizeof(*b->mapped->mounts));
	if (!b->mapped->mounts)
		return idm_fail_errno(config->reader->err, -ENOMEM, step_read, NULL);
	return n ? 0 : idm_json_fail(whole, config->reader->err, "there are no mounts to map");
}

static int select_bundle_mount(struct idm_oci_config *config, const struct idm_json *mount,
			       struct idm_option_list *list, struct idm_plan_add_options *m,
			       struct idm_map **own)
{
	struct bundle *b = (struct bundle *)config;
	int selected = find_mapped(b, mount, list, m, own), r = 0;

	if (selected > 0 && !idm_option_list_make_bind(list))
		r = check_upper(b, mount, list);
	return r < 0 ? r : selected;
}

static int find_bundle_joined_map(struct idm_oci_config *config, struct idm_map *map)
{
	const struct idm_oci_text *text = ((const struct bundle *)config)->text;
	struct idm_error *err = config->reader->err;

	if (!config->namespace)
		return add_engine_ids(map, err);
	return text->joined_map ? text->joined_map(text->data, config->namespace, map, err) : 0;
}

static const struct idm_oci_selection selection = { begin_mounts, select_bundle_mount,
						    find_bundle_joined_map };

/* ---- requests from outside of a mount ---- */

static size_t count_mounts(const struct idm_oci *o, const char *destination, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < o->n; i++)
		found += strlen(o->mounts[i].destination) == n &&
			 memcmp(o->mounts[i].destination, destination, n) == 0;
	return found;
}

/*
 * Exactly one mount must have the destination. Of two, the upper one hides the lower one. An annotation
 * for a whole pod is also that of the containers that lack the volume: those which others have added,
 * such as sidecars and the debugger, and the sandbox.
 */
static int check_annotation(const struct bundle *b, const struct idm_oci_annotation *annotation)
{
	size_t found = count_mounts(b->mapped, annotation->destination, annotation->n);

	if (found == 1 || (found == 0 && b->mapped->pod && !annotation->of_container))
		return 0;
	return idm_json_fail(&annotation->at, b->config.reader->err,
			     "%s mount has the destination /%.*s", found ? "more than one" : "no",
			     (int)annotation->n, annotation->destination);
}

static int check_annotations(const struct bundle *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->list.n; i++)
		r = check_annotation(b, &b->list.all[i]);
	return r;
}

static int check_request(const struct bundle *b, const char *request)
{
	size_t n, found;
	const char *destination = idm_oci_request_destination(request, &n);

	if (!destination)
		return idm_fail(b->config.reader->err, -EINVAL, step_read, request,
				"expected VALUE/DESTINATION");
	if (find_request(b, destination, n) != request)
		return idm_fail(b->config.reader->err, -EINVAL, step_read, request,
				"duplicate map for /%.*s", (int)n, destination);
	found = count_mounts(b->mapped, destination, n);
	if (found == 1)
		return 0;
	return idm_fail(b->config.reader->err, -EINVAL, step_read, request,
			"%s mount has the destination /%.*s", found ? "more than one" : "no", (int)n,
			destination);
}

static int check_requests(const struct bundle *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->text->n_requests; i++)
		r = check_request(b, b->text->requests[i]);
	return r;
}

/* ---- the container ---- */

/* The value is a word such as "shared" or "rslave". */
static int read_propagation(struct idm_oci *o, const struct idm_json *whole, struct idm_error *err)
{
	struct idm_json linux_;
	const char *value;
	int r;

	if (!idm_json_member(whole, "linux", &linux_))
		return 0;
	r = idm_read_string(&linux_, "rootfsPropagation", &value, err);
	o->shared_root = r == 0 && value &&
			 (strcmp(value, "shared") == 0 || strcmp(value, "rshared") == 0);
	return r;
}

/* Copies a string that may be NULL. */
static int copy_text(char **to, const char *text, struct idm_error *err)
{
	if (!text)
		return 0;
	*to = strdup(text);
	/* analyzer: idm_oci_free() frees it */
	return *to ? 0 : idm_fail_errno(err, -ENOMEM, step_read, NULL);
}

static int read_requester(struct bundle *b)
{
	struct idm_error *err = b->config.reader->err;
	struct idm_oci *o = b->mapped;
	struct idm_oci_requester requester;
	int r = idm_oci_read_requester(&b->annotations, &requester, err);

	o->pod = requester.pod;
	if (r == 0)
		r = idm_oci_read_annotations(&b->list, &b->annotations, &requester, err);
	if (r == 0 && b->list.n)
		r = copy_text(&o->annotation, b->list.all[0].name, err);
	if (r == 0)
		r = copy_text(&o->namespace, requester.namespace, err);
	return r < 0 ? r : copy_text(&o->handler, b->text->handler, err);
}

static int read_container(struct bundle *b, const struct idm_json *whole)
{
	struct idm_error *err = b->config.reader->err;
	int r = idm_json_object(whole, err);

	if (r == 0)
		r = idm_oci_check_keys(whole, IDM_OCI_KEYS("annotations", "hooks"), err);
	if (r == 0 && idm_json_member(whole, "annotations", &b->annotations))
		r = idm_json_object(&b->annotations, err);
	if (r == 0)
		r = read_requester(b);
	if (r == 0)
		r = read_propagation(b->mapped, whole, err);
	if (r == 0)
		r = idm_oci_read_whole(&b->config, whole);
	if (r == 0)
		r = check_annotations(b);
	return r < 0 ? r : check_requests(b);
}

int idm_oci_read_parsed(struct idm_oci *o, const struct idm_oci_text *text, struct idm_json_text *parsed,
			struct idm_error *err)
{
	struct idm_plan_reader reader = { .how = IDM_PLAN_READ_OPTIONS_INIT, .err = err };
	struct bundle b = { .config = { .reader = &reader, .selection = &selection },
			    .mapped = o,
			    .text = text };
	enum idm_error_step caller_step = parsed->step;
	struct idm_json whole;
	int r;

	*o = (struct idm_oci){ 0 };
	if (idm_plan_new(&o->plan) < 0)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	reader.plan = o->plan;
	reader.how.dirfd = text->dirfd;
	parsed->step = step_read;
	whole = idm_json_whole(parsed);
	r = read_container(&b, &whole);
	parsed->step = caller_step;
	idm_oci_free_annotations(&b.list);
	if (r < 0)
		idm_oci_free(o);
	return r;
}

int idm_oci_read(struct idm_oci *o, const struct idm_oci_text *text, struct idm_error *err)
{
	AUTO_JSON struct idm_json_text *parsed = NULL;
	int r;

	*o = (struct idm_oci){ 0 };
	r = idm_json_parse(text->text, text->length, step_read, &parsed, err);
	return r < 0 ? r : idm_oci_read_parsed(o, text, parsed, err);
}

void idm_oci_free(struct idm_oci *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->mounts[i].destination);
		free(o->mounts[i].annotation);
		idm_close_fd(&o->mounts[i].source);
	}
	free(o->mounts);
	free(o->annotation);
	free(o->namespace);
	free(o->handler);
	idm_plan_free(o->plan);
	*o = (struct idm_oci){ 0 };
}
