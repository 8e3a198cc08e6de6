// SPDX-License-Identifier: MIT
/*
 * The config.json of a container that a runtime is making, as the hook reads it. Of the mounts it reads
 * only those that have a map. The map is the mount's own, comes from an annotation, or is passed by the
 * engine beside the text.
 */
#include <errno.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/plan/plan.h"
#include "lib/spec/oci-config.h"
#include "lib/spec/oci-mappings.h"
#include "lib/sys/fail-errno.h"
#include "oci.h"

static const enum idm_error_step step_read = IDM_STEP_READ_PLAN;

struct bundle {
	struct idm_oci_config config; /* first: what the selection is called with is this */
	struct idm_oci *mapped;
	const struct idm_oci_text *text;
	struct idm_json annotations;
};

/* ---- mounts ---- */

static bool has_map(const struct idm_json *mount, const struct idm_option_list *words)
{
	struct idm_json rows;

	for (size_t i = 0; i < words->n; i++)
		if (idm_oci_is_map_word(words->words[i]))
			return true;
	return idm_json_member(mount, "uidMappings", &rows) ||
	       idm_json_member(mount, "gidMappings", &rows);
}

/* Remembers where it is, mapped or not. */
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

/* The map that the engine requests beside the text for that destination, or NULL. */
static const char *find_given(const struct bundle *b, const char *destination, size_t n)
{
	for (size_t i = 0; i < b->text->n_given; i++) {
		size_t length;
		const char *given = b->text->given[i],
			   *other = idm_oci_given_destination(given, &length);

		if (other && length == n && memcmp(other, destination, n) == 0)
			return given;
	}
	return NULL;
}

/* The request for a map of one mount from outside of that mount; NULL: no such request. */
struct asking {
	const char *given;
	const struct idm_json *annotation;
};

static int read_asking(const struct bundle *b, const struct asking *asking, const char **word,
		       struct idm_map **own)
{
	struct idm_oci_mount *noted = &b->mapped->mounts[b->mapped->n - 1];
	struct idm_error *err = b->config.reader->err;

	if (asking->given)
		return idm_oci_read_given(asking->given, word, own, err);
	noted->annotation = strdup(asking->annotation->key);
	if (!noted->annotation)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	return idm_oci_read_annotation(asking->annotation, word, own, err);
}

/* The map that is asked for so. */
static int take_asking(struct bundle *b, const struct idm_json *mount, const struct asking *asking,
		       struct idm_option_list *words, struct idm_plan_add_options *m,
		       struct idm_map **own)
{
	const char *word = NULL;
	int r = read_asking(b, asking, &word, own);

	if (r < 0)
		return r;
	if (word)
		words->words[words->n++] = word;
	m->map = *own;
	return m->map ? 0 : idm_oci_find_container_map(&b->config, mount, word, m);
}

static int check_once(const struct bundle *b, const struct idm_json *mount, const struct asking *asking,
		      bool has)
{
	struct idm_error *err = b->config.reader->err;

	if (asking->annotation && (has || asking->given))
		return idm_json_fail(mount, err, "a map is given twice: here, and by the annotation %s",
				     asking->annotation->key);
	if (asking->given && has)
		return idm_json_fail(mount, err,
				     "a map is given twice: here, and by the hook's argument %s",
				     asking->given);
	return 0;
}

/* 1: it is mapped, as far as m says. 0: it has no map. */
static int find_mapped(struct bundle *b, const struct idm_json *mount, struct idm_option_list *words,
		       struct idm_plan_add_options *m, struct idm_map **own)
{
	struct idm_json annotation;
	size_t n;
	const char *destination = idm_trim_target(m->target, &n);
	bool annotated = idm_oci_find_annotation(&b->annotations, destination, n, &annotation),
	     has = has_map(mount, words);
	const struct asking asking = { find_given(b, destination, n), annotated ? &annotation : NULL };
	int r = check_once(b, mount, &asking, has);

	if (r == 0)
		r = note_mount(b, m->target, annotated || asking.given || has);
	if (r < 0 || (!annotated && !asking.given && !has))
		return r;
	r = has ? idm_oci_find_map(&b->config, mount, words, m, own)
		: take_asking(b, mount, &asking, words, m, own);
	return r < 0 ? r : 1;
}

/* The runtime has mounted it already. A second overlay on the same upper directory damages its files. */
static int check_upper(const struct bundle *b, const struct idm_json *mount,
		       const struct idm_option_list *words)
{
	for (size_t i = 0; i < words->n; i++)
		if (strncmp(words->words[i], "upperdir=", 9) == 0)
			return idm_json_fail(mount, b->config.reader->err,
					     "%s is in use by the runtime's overlay: a second one on it "
					     "would damage it",
					     words->words[i]);
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
			       struct idm_option_list *words, struct idm_plan_add_options *m,
			       struct idm_map **own)
{
	struct bundle *b = (struct bundle *)config;
	int selected = find_mapped(b, mount, words, m, own), r = 0;

	if (selected > 0 && !idm_option_list_make_bind(words))
		r = check_upper(b, mount, words);
	return r < 0 ? r : selected;
}

static int find_bundle_joined_map(struct idm_oci_config *config, struct idm_map *map)
{
	const struct idm_oci_text *text = ((const struct bundle *)config)->text;

	return text->joined_map ? text->joined_map(text->data, map, config->reader->err) : 0;
}

static const struct idm_oci_selection selection = { begin_mounts, select_bundle_mount,
						    find_bundle_joined_map };

/* ---- requests from outside of a mount ---- */

/*
 * Kubernetes passes the annotations of a pod to each of its containers. One of them only holds the pod's
 * namespaces and has no volumes: the sandbox.
 */
static bool is_sandbox(const struct bundle *b)
{
	static const char *const keys[] = { "io.kubernetes.cri.container-type",
					    "io.kubernetes.cri-o.ContainerType" };
	struct idm_error err;
	const char *type;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (idm_read_string(&b->annotations, keys[i], &type, &err) == 0 && type &&
		    strcmp(type, "sandbox") == 0)
			return true;
	return false;
}

static size_t count_mounts(const struct idm_oci *o, const char *destination, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < o->n; i++)
		found += strlen(o->mounts[i].destination) == n &&
			 memcmp(o->mounts[i].destination, destination, n) == 0;
	return found;
}

/* Its destination is that of one mount. With two, the lower one could not be seen. */
static int check_annotation(const struct bundle *b, const struct idm_json *annotation)
{
	struct idm_oci *o = b->mapped;
	size_t n, found;
	const char *destination = idm_oci_annotated(annotation, &n);

	if (!destination)
		return 0;
	if (!o->annotation)
		/* analyzer: idm_oci_free() frees it */
		o->annotation = strdup(annotation->key);
	if (!o->annotation)
		return idm_fail_errno(b->config.reader->err, -ENOMEM, step_read, NULL);
	found = count_mounts(o, destination, n);
	if (found == 1 || (found == 0 && is_sandbox(b)))
		return 0;
	return idm_json_fail(annotation, b->config.reader->err, "%s mount has the destination /%.*s",
			     found ? "more than one" : "no", (int)n, destination);
}

static int check_annotations(const struct bundle *b)
{
	struct idm_json annotation = { 0 };
	int r = 0;

	if (idm_json_type(&b->annotations) != IDM_JSON_OBJECT)
		return 0;
	while (r == 0 && idm_json_each(&b->annotations, &annotation))
		r = check_annotation(b, &annotation);
	return r;
}

static int check_given(const struct bundle *b, const char *given)
{
	size_t n, found;
	const char *destination = idm_oci_given_destination(given, &n);

	if (!destination)
		return idm_fail(b->config.reader->err, -EINVAL, step_read, given,
				"expected VALUE/DESTINATION");
	if (find_given(b, destination, n) != given)
		return idm_fail(b->config.reader->err, -EINVAL, step_read, given,
				"a map is given twice for /%.*s", (int)n, destination);
	found = count_mounts(b->mapped, destination, n);
	if (found == 1)
		return 0;
	return idm_fail(b->config.reader->err, -EINVAL, step_read, given,
			"%s mount has the destination /%.*s", found ? "more than one" : "no", (int)n,
			destination);
}

static int check_all_given(const struct bundle *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->text->n_given; i++)
		r = check_given(b, b->text->given[i]);
	return r;
}

/* ---- the container ---- */

/* A value of its own, such as "shared", "rslave". */
static int read_propagation(struct idm_oci *o, const struct idm_json *whole, struct idm_error *err)
{
	struct idm_json linux_;
	const char *word;
	int r;

	if (!idm_json_member(whole, "linux", &linux_))
		return 0;
	r = idm_read_string(&linux_, "rootfsPropagation", &word, err);
	o->shared_root = r == 0 && word && (strcmp(word, "shared") == 0 || strcmp(word, "rshared") == 0);
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

static int read_asker(struct bundle *b)
{
	struct idm_error *err = b->config.reader->err;
	struct idm_oci *o = b->mapped;
	struct idm_oci_asker asker;
	int r = idm_oci_read_asker(&b->annotations, &asker, err);

	if (b->text->handler)
		asker.handler = b->text->handler;
	o->pod = asker.pod;
	if (r == 0)
		r = copy_text(&o->namespace, asker.namespace, err);
	return r < 0 ? r : copy_text(&o->handler, asker.handler, err);
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
		r = idm_oci_check_annotations(&b->annotations, err);
	if (r == 0)
		r = read_asker(b);
	if (r == 0)
		r = read_propagation(b->mapped, whole, err);
	if (r == 0)
		r = idm_oci_read_whole(&b->config, whole);
	if (r == 0)
		r = check_annotations(b);
	return r < 0 ? r : check_all_given(b);
}

int idm_oci_read(struct idm_oci *o, const struct idm_oci_text *text, struct idm_error *err)
{
	struct idm_plan_reader reader = { .how = IDM_PLAN_READ_OPTIONS_INIT, .err = err };
	struct bundle b = { .config = { .reader = &reader, .selection = &selection },
			    .mapped = o,
			    .text = text };
	AUTO_JSON struct idm_json_text *parsed = NULL;
	struct idm_json whole;
	int r;

	*o = (struct idm_oci){ 0 };
	r = idm_json_parse(text->text, text->length, step_read, &parsed, err);
	if (r < 0)
		return r;
	if (idm_plan_new(&o->plan) < 0)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	reader.plan = o->plan;
	reader.how.dirfd = text->dirfd;
	whole = idm_json_whole(parsed);
	r = read_container(&b, &whole);
	if (r < 0)
		idm_oci_free(o);
	return r;
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
