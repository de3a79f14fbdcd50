from django.http import HttpResponse
from django.urls import include, path
from accounts.access import open_to_all
urlpatterns = [path("", open_to_all(lambda r: HttpResponse("home")), name="home"), path("d", open_to_all(lambda r: HttpResponse("home")), name="demo_clock_advance"), path("", include("accounts.urls")), path("", include("students.urls"))]
