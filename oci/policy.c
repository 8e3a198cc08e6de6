// SPDX-License-Identifier: MIT
/* Decides whether an annotation gets the map that it asks for. */
#include "policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"

static const enum idm_error_step step_judge = IDM_STEP_JUDGE_ANNOTATION;

/* ---- conditions ---- */

/* Returns whether `path` is `directory`, or below it. "" is the root. */
static bool is_in(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	return strncmp(path, directory, n) == 0 && (!path[n] || path[n] == '/');
}

/* A denied source must not come with a directory above it, either. */
static bool source_matches(const struct idm_policy_rule *rule, const char *source)
{
	if (!rule->source)
		return true;
	if (!source)
		return false;
	if (strcmp(source, "/") == 0)
		source = "";
	return is_in(source, rule->source) || (!rule->allow && is_in(rule->source, source));
}

/*
 * An unknown name of a pod could be any name: a rule that denies matches it, a rule that allows does
 * not.
 */
static bool name_matches(const char *wanted, const char *text, const struct idm_policy_rule *rule,
			 const struct idm_policy_request *q)
{
	if (!q->pod || !wanted)
		return !wanted;
	return text ? strcmp(wanted, text) == 0 : !rule->allow;
}

static bool namespace_matches(const struct idm_policy_rule *rule, const struct idm_policy_request *q)
{
	if (rule->namespace && strcmp(rule->namespace, "*") == 0)
		return q->pod;
	if (rule->namespace && strcmp(rule->namespace, "-") == 0)
		return !q->pod;
	return name_matches(rule->namespace, q->namespace, rule, q);
}

static bool matches(const struct idm_policy_rule *rule, const struct idm_policy_request *q)
{
	return source_matches(rule, q->source) && namespace_matches(rule, q) &&
	       name_matches(rule->handler, q->handler, rule, q);
}

/* ---- refusals ---- */

/* A pod's annotation names it, so quotes mark where the name ends. Returns NULL without memory. */
static char *name_text(const char *name)
{
	char *text = NULL;

	if (!name)
		return strdup("not known");
	return asprintf(&text, "\"%s\"", name) < 0 ? NULL : text;
}

/*
 * Says which source, namespace and handler a refusal is about. The source comes last: the path can be
 * long, and then its end is cut.
 */
static int refuse_annotation(const struct idm_policy_request *q, struct idm_error *err,
			     const char *because)
{
	AUTO_FREE char *namespace = q->pod ? name_text(q->namespace) : strdup("- (no pod)");
	AUTO_FREE char *handler = name_text(q->handler);

	if (!namespace || !handler)
		return idm_fail_errno(err, -ENOMEM, step_judge, q->annotation);
	return idm_fail(err, -EPERM, step_judge, q->annotation, "%s namespace %s, handler %s, %s%s",
			because, namespace, handler, q->source ? "source " : "no source",
			q->source ? q->source : "");
}

static int deny(const struct idm_policy_rule *rule, const struct idm_policy_request *q,
		struct idm_error *err)
{
	bool below = rule->source && q->source && !is_in(q->source, rule->source);
	AUTO_FREE char *because = NULL;

	if (asprintf(&because, "line %u of " IDM_POLICY_FILE " denies%s%.200s%s", rule->line,
		     below ? " " : "", below ? rule->source : "",
		     below ? ", which is below the source:" : "") < 0) {
		because = NULL;
		return idm_fail_errno(err, -ENOMEM, step_judge, q->annotation);
	}
	return refuse_annotation(q, err, because);
}

/* ---- IDs ---- */

/* The first of these IDs that is in no range; `end` if all are. */
static uint64_t first_outside(const struct idm_policy_ids *ids, uint64_t id, uint64_t end)
{
	size_t i = 0;

	while (id < end && i < ids->n) {
		const struct idm_policy_range *range = &ids->ranges[i++];

		if (id < range->first || id > range->last)
			continue;
		id = (uint64_t)range->last + 1;
		i = 0;
	}
	return id < end ? id : end;
}

struct column {
	const char *name, *kind;
	const struct idm_policy_ids *ids;
};

static int check_column(const struct column *c, const struct idm_entry *e, bool disk,
			const struct idm_policy_request *q, unsigned int line, struct idm_error *err)
{
	uint64_t begin = disk ? e->disk : e->seen, end = begin + e->count;
	uint64_t id = first_outside(c->ids, begin, end);

	if (id == end)
		return 0;
	return idm_fail(err, -EPERM, step_judge, q->annotation,
			"%s %s %u is not allowed by line %u of " IDM_POLICY_FILE, c->name, c->kind,
			(unsigned int)id, line);
}

static int check_rule_side(const struct idm_policy_rule *rule, const struct idm_policy_request *q,
			   unsigned int kind, struct idm_error *err)
{
	bool uid = kind == IDM_UID;
	const struct column disk = { "disk", uid ? "uid" : "gid",
				     uid ? &rule->disk.uid : &rule->disk.gid },
			    seen = { "seen", disk.kind, uid ? &rule->seen.uid : &rule->seen.gid };
	const struct idm_entry *entries;
	ssize_t n = (ssize_t)idm_map_entries(q->map, kind, &entries);
	int r = 0;

	for (ssize_t i = 0; r == 0 && i < n; i++) {
		r = check_column(&disk, &entries[i], true, q, rule->line, err);
		if (r == 0)
			r = check_column(&seen, &entries[i], false, q, rule->line, err);
	}
	return r;
}

static int apply_rule(const struct idm_policy_rule *rule, const struct idm_policy_request *q,
		      struct idm_error *err)
{
	int r;

	if (!rule->allow)
		return deny(rule, q, err);
	r = check_rule_side(rule, q, IDM_UID, err);
	return r < 0 ? r : check_rule_side(rule, q, IDM_GID, err);
}

/* ---- without a file ---- */

static bool has_disk_root(const struct idm_map *map, unsigned int kind)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(map, kind, &entries);

	for (size_t i = 0; i < n; i++)
		if (entries[i].disk == 0)
			return true;
	return false;
}

static int apply_default(const struct idm_policy_request *q, struct idm_error *err)
{
	const char *kind;

	if (q->pod)
		return idm_fail(err, -EPERM, step_judge, q->annotation,
				"the default rule refuses all maps of pods; " IDM_POLICY_FILE
				" is the file that allows them");
	if (!q->map)
		return 0;
	kind = has_disk_root(q->map, IDM_UID) ? "uid" : has_disk_root(q->map, IDM_GID) ? "gid" : NULL;
	if (!kind)
		return 0;
	return idm_fail(err, -EPERM, step_judge, q->annotation,
			"the default rule refuses disk %s 0; " IDM_POLICY_FILE
			" is the file that allows it",
			kind);
}

int idm_policy_judge(const struct idm_policy *policy, const struct idm_policy_request *q,
		     struct idm_error *err)
{
	if (!policy)
		return apply_default(q, err);
	if (policy->off)
		return idm_fail(err, -EPERM, step_judge, q->annotation,
				"line %u of " IDM_POLICY_FILE " switches annotations off", policy->off);
	if (!q->map)
		return 0;
	for (size_t i = 0; i < policy->n; i++)
		if (matches(&policy->rules[i], q))
			return apply_rule(&policy->rules[i], q, err);
	return refuse_annotation(q, err, "no rule of " IDM_POLICY_FILE " matches");
}
