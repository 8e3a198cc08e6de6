// SPDX-License-Identifier: MIT
#include "layer-options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/array.h"
#include "lib/base/lowerdir.h"
#include "report.h"

/* The name of a layer may have a comma. */
static bool has_wrong_separator(const char *path)
{
	return strchr(path, ',') && access(path, F_OK) < 0 && errno == ENOENT;
}

static int append_layer(char *path, bool data_only, void *arg)
{
	struct layer_list *layers = arg;
	struct idm_path **list = data_only ? &layers->data : &layers->lower, *new;
	size_t *n = data_only ? &layers->n_data : &layers->n_lower;

	if (has_wrong_separator(path))
		return report_failure("-L %s: no such directory; a colon separates layers, not a comma",
				      path);
	new = idm_array_append(list, n, sizeof(*new));
	if (!new)
		return out_of_memory();
	*new = (struct idm_path){ AT_FDCWD, path };
	return DONE;
}

int add_layers(struct layer_list *layers, char *list)
{
	int status = idm_split_lowerdir(list, append_layer, layers);

	return status >= 0 ? status : report_usage("-L: expected a layer on each side of a colon");
}

void layer_list_free(struct layer_list *layers)
{
	free(layers->lower);
	free(layers->data);
}
