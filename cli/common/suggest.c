// SPDX-License-Identifier: MIT
#include "suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "report.h"

/* Longer words are not compared. */
#define LONGEST 32

static unsigned int least_of(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Two rows of a table: the distances of all beginnings of `b` from one of `a`. And the row before. */
struct distances {
	unsigned int before[LONGEST + 1], last[LONGEST + 1], now[LONGEST + 1];
};

static bool is_other(char a, char b)
{
	return tolower((unsigned char)a) != tolower((unsigned char)b);
}

static unsigned int distance_at(const struct distances *d, const char *a, const char *b, size_t i,
				size_t j)
{
	unsigned int least = d->last[j - 1] + is_other(a[i - 1], b[j - 1]);

	least = least_of(least, least_of(d->last[j], d->now[j - 1]) + 1);
	if (i > 1 && j > 1 && !is_other(a[i - 1], b[j - 2]) && !is_other(a[i - 2], b[j - 1]))
		least = least_of(least, d->before[j - 2] + 1);
	return least;
}

/* The number of characters to add, to remove, to replace, or to exchange with the next one. */
static unsigned int edit_distance(const char *a, const char *b)
{
	struct distances d;
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		d.last[j] = (unsigned int)j;
	memcpy(d.before, d.last, sizeof(d.before));
	for (size_t i = 1; a[i - 1]; i++) {
		d.now[0] = (unsigned int)i;
		for (size_t j = 1; j <= n; j++)
			d.now[j] = distance_at(&d, a, b, i, j);
		memcpy(d.before, d.last, sizeof(d.before));
		memcpy(d.last, d.now, sizeof(d.last));
	}
	return d.last[n];
}

/* A short word has too many neighbours. */
static unsigned int most_distance(size_t n)
{
	return n < 3 ? 0 : n < 5 ? 1 : 2;
}

void suggest_word(struct suggestion *s, const char *known)
{
	size_t n = strlen(s->word);
	unsigned int distance;

	if (n > LONGEST || strlen(known) > LONGEST)
		return;
	distance = edit_distance(s->word, known);
	if (distance > most_distance(n) || (s->best && distance >= s->distance))
		return;
	s->best = known;
	s->distance = distance;
}

void suggest_words(struct suggestion *s, const char *const *known)
{
	for (; *known; known++)
		suggest_word(s, *known);
}

int report_unknown_word(const struct suggestion *s, const char *where, const char *kind, const char *see)
{
	if (s->best)
		return report_usage("%s%s: unknown %s; did you mean %s?", where, s->word, kind, s->best);
	return report_usage("%s%s: unknown %s%s%s", where, s->word, kind, see ? "; see " : "",
			    see ? see : "");
}
