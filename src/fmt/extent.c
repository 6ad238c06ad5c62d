// See extent.h.
#include "fmt/extent.h"

// Restores the heap (largest offset at 0) below `root`.
static void sift_down(extent *e, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && e[child + 1].offset > e[child].offset) child++;
        if (e[root].offset >= e[child].offset) return;
        extent t = e[root];
        e[root] = e[child];
        e[child] = t;
    }
}

void extent_sort(extent *e, size_t n)
{
    size_t sorted = 1;
    while (sorted < n && e[sorted - 1].offset <= e[sorted].offset) sorted++;
    if (sorted >= n) return;
    for (size_t i = n / 2; i-- > 0;) sift_down(e, i, n);
    for (size_t last = n - 1; last > 0; last--) {
        extent t = e[0];
        e[0] = e[last];
        e[last] = t;
        sift_down(e, 0, last);
    }
}
