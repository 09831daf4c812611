"""Renames sign-ins of programs to what they are: families of refresh tokens."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_rate_limit")]

    operations = [
        migrations.RenameModel(old_name="SignIn", new_name="TokenFamily"),
        migrations.RenameField(model_name="refreshtoken", old_name="sign_in", new_name="family"),
        migrations.AlterField(
            model_name="tokenfamily",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="token_families",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
