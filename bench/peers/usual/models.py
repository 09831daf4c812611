"""Users of a client, and the client's notes, consignments and logs; a city's totals."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models


class Client(models.Model):
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    client = models.ForeignKey(Client, on_delete=models.CASCADE)


class CityTotals(models.Model):
    city_id = models.IntegerField(unique=True)
    name = models.CharField(max_length=100)
    count = models.BigIntegerField()
    min_temp = models.FloatField()
    max_temp = models.FloatField()
    mean_temp = models.FloatField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Consignment(models.Model):
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Log(models.Model):
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    consignment = models.ForeignKey(Consignment, on_delete=models.CASCADE)
    barcode = models.CharField(max_length=50)
    length = models.DecimalField(max_digits=7, decimal_places=3)
    breadth = models.DecimalField(max_digits=7, decimal_places=3)
    height = models.DecimalField(max_digits=7, decimal_places=3)
    volume = models.DecimalField(max_digits=14, decimal_places=3)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.barcode


class Note(models.Model):
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    consignment = models.ForeignKey(Consignment, on_delete=models.SET_NULL, null=True)
    title = models.CharField(max_length=100)
    content = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.title
