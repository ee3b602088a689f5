"""Below `/api/v1/admin/`: the catalogue, and what is on where."""

urlpatterns: list[object] = []
