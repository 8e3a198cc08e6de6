// SPDX-License-Identifier: MIT
#include "layers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/report.h"
#include "storage.h"
#include "whiteouts.h"

/* Beside the mount point. The engine removes it together with the layer. */
#define EMPTY_DIRECTORY ".idmount-empty"

static int convert_all(const struct overlay_request *q, const struct storage_home *home)
{
	int status = DONE;

	for (size_t i = 0; i < q->n_lower && status == DONE; i++)
		status = convert_layer(home, q->lower[i], false);
	return status == DONE && q->upper ? convert_layer(home, q->upper, true) : status;
}

static size_t count_visible(const struct overlay_request *q)
{
	if (q->upper && is_opaque(q->upper))
		return 0;
	for (size_t i = 0; i < q->n_lower; i++)
		if (is_opaque(q->lower[i]))
			return i + 1;
	return q->n_lower;
}

static int add_empty_layer(struct overlay_request *q, const char *target)
{
	if (asprintf(&q->empty, "%s/../" EMPTY_DIRECTORY, target) < 0)
		return q->empty = NULL, out_of_memory();
	if (mkdir(q->empty, 0755) < 0 && errno != EEXIST)
		return report_failure("%s: create directory: %s", q->empty, strerror(errno));
	q->lower[q->n_lower++] = q->empty;
	return DONE;
}

/* The kernel requires two layers. It reads user.overlay.opaque in all directories but the top ones. */
static int drop_hidden_layers(struct overlay_request *q, const char *target)
{
	size_t visible = count_visible(q);

	if (visible == q->n_lower)
		return DONE;
	q->n_lower = visible;
	return visible + (q->upper != NULL) < 2 ? add_empty_layer(q, target) : DONE;
}

int prepare_layers(struct overlay_request *q, const char *target)
{
	struct storage_home home;
	int status;

	find_storage_home(target, &home);
	if (!home.is_known) /* the layers can be volumes */
		return DONE;
	status = convert_all(q, &home);
	return status == DONE ? drop_hidden_layers(q, target) : status;
}
