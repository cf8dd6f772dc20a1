from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hubbub', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='accesstoken',
            name='name',
            field=models.CharField(help_text='Its purpose: the name distinguishes it from other tokens.', max_length=80),
        ),
        migrations.AlterField(
            model_name='accesstoken',
            name='scopes',
            field=models.CharField(default='', help_text='Its permissions: names from settings.TOKEN_SCOPES, separated by spaces.', max_length=400),
        ),
    ]
