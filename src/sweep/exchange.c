#include "exchange.h"
#include "cognate/mem.h"
#include <stdlib.h>

enum { TAG = 7202 };

/* This rank's own panel of a member; NULL when another rank has it. */
static float *own_panel(const struct cg_worker *worker, int64_t bundle, int32_t member)
{
    for (size_t i = 0; i < worker->nheld; i++)
        if (worker->held[i].bundle == bundle && worker->held[i].member == member)
            return worker->held[i].panel;
    return NULL;
}

/* The panel of a member at the comparing rank: its own, or received into `room`. */
static const float *panel_at_home(const struct cg_comm *comm, const struct cg_worker *worker, int64_t bundle,
                                  int32_t member, int count, float *room)
{
    const struct cg_bundle *of = &worker->plan->bundles[bundle];
    int owner = worker->plan->members[of->first_member + member].owner;
    if (owner == comm->rank)
        return own_panel(worker, bundle, member);
    MPI_Recv(room, count, MPI_FLOAT, owner, TAG, comm->mpi, MPI_STATUS_IGNORE);
    return room;
}

/* One bundle whose streams are apart. All ranks go through the bundles in the same order, so that blocking
 * calls cannot lock one another. */
static void exchange_one(const struct cg_comm *comm, struct cg_worker *worker, int64_t bundle, float *room,
                         const float **panel)
{
    const struct cg_bundle *of = &worker->plan->bundles[bundle];
    const struct cg_bundle_member *member = &worker->plan->members[of->first_member];
    struct cg_panel_shape shape = cg_bundle_panel_shape(worker->anatomy, of);
    int64_t count = shape.lines * shape.residual;
    bool home = member[0].owner == comm->rank;
    for (int32_t m = 0; count > 0 && m < of->members; m++) {
        if (home)
            panel[m] =
                panel_at_home(comm, worker, bundle, m, (int)count, room + (int64_t)m * CG_PANEL_ELEMENTS);
        else if (member[m].owner == comm->rank)
            MPI_Send(own_panel(worker, bundle, m), (int)count, MPI_FLOAT, member[0].owner, TAG, comm->mpi);
    }
    if (home)
        cg_compare_panels(worker, &shape, bundle, panel);
}

/* The most members of such a bundle that this rank compares; 0 when it compares none. */
static int32_t most_members(const struct cg_plan *plan, int rank)
{
    int32_t most = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        if (bundle->apart && plan->members[bundle->first_member].owner == rank && bundle->members > most)
            most = bundle->members;
    }
    return most;
}

int cg_exchange_panels(const struct cg_comm *comm, struct cg_worker *worker, struct cg_err *err)
{
    size_t members = (size_t)most_members(worker->plan, comm->rank);
    float *room = cg_new(members * CG_PANEL_ELEMENTS, sizeof *room, err);
    const float **panel = room ? cg_new(members, sizeof *panel, err) : NULL;
    int result = cg_agree(comm, panel ? 0 : -1, err);
    for (int64_t i = 0; result == 0 && i < worker->plan->nbundles; i++)
        if (worker->plan->bundles[i].apart)
            exchange_one(comm, worker, i, room, panel);
    free(panel);
    free(room);
    return result;
}
