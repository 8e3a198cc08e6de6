// SPDX-License-Identifier: MIT
#include "layer-options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"
#include "lib/base/lowerdir.h"
#include "lib/base/unescape.h"
#include "mount-rows.h"

static int add_lower_option(char *path, bool data_only, void *data)
{
	struct overlay_layers *layers = data;
	char **lower;

	layers->has_data_layer |= data_only;
	if (data_only)
		return 0;
	lower = idm_array_append(&layers->lower, &layers->n_lower, sizeof(*lower));
	if (!lower)
		return -ENOMEM;
	*lower = strdup(path);
	return *lower ? 0 : -ENOMEM;
}

/* The value of an option, or NULL. */
static char *match_option(char *option, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(option, key, n) != 0)
		return NULL;
	idm_unescape(option + n);
	return option + n;
}

static int add_layer_option(struct overlay_layers *layers, char *option)
{
	char *value;

	layers->userxattr |= strcmp(option, "userxattr") == 0;
	layers->has_data_layer |= strncmp(option, "datadir+=", strlen("datadir+=")) == 0;
	value = match_option(option, "lowerdir+=");
	if (value)
		return add_lower_option(value, false, layers);
	value = match_option(option, "lowerdir=");
	if (value)
		return idm_split_lowerdir(value, add_lower_option, layers);
	value = match_option(option, "upperdir=");
	if (!value)
		return 0;
	layers->upper = strdup(value);
	return layers->upper ? 0 : -ENOMEM;
}

/* A comma in a name is escaped. */
static int add_layer_options(struct overlay_layers *layers, char *options)
{
	char *option;
	int r = 0;

	while (r == 0 && (option = strsep(&options, ",")))
		r = add_layer_option(layers, option);
	return r;
}

/* "36 35 0:42 / /target rw - overlay source options": cuts the last word off. */
static char *find_super_options(char *line, uint64_t id)
{
	unsigned long long found;
	char *rest = strstr(line, " - ");

	if (!rest || sscanf(line, "%llu ", &found) != 1 || found != id)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return strrchr(rest, ' ') + 1;
}

void read_overlay_layers(pid_t pid, uint64_t id, struct overlay_layers *layers)
{
	FILE *mountinfo = open_mountinfo(pid);
	char *line = NULL, *options = NULL;
	size_t size = 0;

	*layers = (struct overlay_layers){ 0 };
	if (!mountinfo)
		return;
	while (!options && getline(&line, &size, mountinfo) > 0)
		options = find_super_options(line, id);
	layers->is_known = options && add_layer_options(layers, options) == 0;
	free(line);
	fclose(mountinfo);
}

void free_overlay_layers(struct overlay_layers *layers)
{
	for (size_t i = 0; i < layers->n_lower; i++)
		free(layers->lower[i]);
	free(layers->lower);
	free(layers->upper);
}
